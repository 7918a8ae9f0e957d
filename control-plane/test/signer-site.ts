/** A gated site with one version of a model, an operator, a program that proposes, and a signer: each with a folder of its own. */
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { operatorToken } from "@vedette/protocol/api";
import type { Release } from "@vedette/protocol/release-api";
import { expect, onTestFinished } from "vitest";
import { type ApiClient, createApiClient } from "../src/cli/api-client.ts";
import { readKey } from "../src/publish/offline-keys.ts";
import { createSigner } from "../src/signer/run-signer.ts";
import { openSignerHome } from "../src/signer/signer-home.ts";
import { type Vedette, vedetteOf } from "./commands.ts";
import { type Site, startSite, trustOf } from "./site.ts";

const linear = fileURLToPath(new URL("../../fixtures/models/written/linear.onnx", import.meta.url));

export async function signerSite() {
  const folder = await mkdtemp(join(tmpdir(), "vedette-signer-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  let site = await startSite({ gated: true });
  const at = { home: site.home, clock: site.clock };
  const as = (name: string): Vedette => {
    const over = { tokenFile: join(folder, `${name}.token`), now: () => at.clock.now() };
    return (...args) => vedetteOf(site, join(folder, name), over)(...args);
  };
  const person = async (name: string, role: string) => {
    const { token } = operatorToken.parse((await site.call("POST", "/v1/operators", { name, role })).body);
    await writeFile(join(folder, `${name}.token`), token);
    return as(name);
  };
  const ops = await person("ops", "admin");
  const ci = await person("ci", "operator");
  const data = join(folder, "data.csv");
  await writeFile(data, "a,b,y\n1,2,3\n4,5,6\n7,8,9\n");
  const flags = ["--name", "pump", "--model", linear, "--reference", data, "--label", "y"];
  expect(await ops("keys", "init")).toMatchObject({ code: 0 });
  expect(await ops("model", "publish", ...flags)).toMatchObject({ code: 0 });
  const root = (await trustOf(site)).rootSha256 ?? "";
  const gateKey = async () => (await ops("gate", "key")).out.trim();
  /** Proposes a version that differs from others; answers the release. */
  const propose = async (difference: string, ...more: string[]): Promise<Release> => {
    const ran = await ci("model", "publish", ...flags, "--cache-age", difference, ...more, "--propose", "--json");
    expect(ran).toMatchObject({ code: 0, err: "" });
    return (ran.json() as { release: Release }).release;
  };
  const proposer = join(folder, "ci", "keys", "propose-pump.pub");
  /** Sets a signer up, once somebody has proposed. */
  const init = async (name: string, ...more: string[]) => {
    const signer = await person(name, "signer");
    const told = ["--root", root, "--gate-key", await gateKey(), "--proposer", proposer];
    const made = await signer("signer", "init", "--model", "pump", "--name", name, ...told, ...more);
    expect(made).toMatchObject({ code: 0, err: "" });
    return signer;
  };
  const pub = (name: string) => join(folder, name, "keys", `${name}.pub`);
  const delegate = async (names: readonly string[], threshold: number) => {
    const add = [
      "--role",
      "project",
      "--model",
      "pump",
      "--add",
      names.map(pub).join(","),
      "--threshold",
      `${threshold}`,
    ];
    const begun = await ops("keys", "rotate", ...add, "--json");
    expect(begun).toMatchObject({ code: 0, err: "" });
    const { outcome, file } = begun.json() as { outcome: string; file: string };
    if (outcome === "put") return;
    // Its next metadata take a second signature already: one of the signers', by a person who may put it.
    const person = { tokenFile: join(folder, "ops.token"), now: () => at.clock.now() };
    const signed = await vedetteOf(site, join(folder, names[0] as string), person)("keys", "sign", file);
    expect(signed).toMatchObject({ code: 0 });
  };
  return {
    folder,
    clock: at.clock,
    ops,
    propose,
    init,
    delegate,
    get site(): Site {
      return site;
    },
    async restart() {
      await site.close();
      site = await startSite({ ...at, gated: true });
    },
    gateKey,
    release: async (id: number) => (await site.call("GET", `/v1/releases/${id}`)).body as Release,
    versions: async () => {
      const { body } = await site.call("GET", "/v1/models");
      return (body as { models: { versions: { version: number; digest: string }[] }[] }).models[0]?.versions ?? [];
    },
    actions: async () => {
      const { body } = await site.call("GET", "/v1/audit?limit=200");
      const entries = (body as { entries: { action: string; actor: string }[] }).entries;
      return entries.map(({ actor, action }) => `${actor} ${action}`).toReversed();
    },
    /** The signer itself, with an API that may lie; made anew it is as after a restart. */
    async open(name: string, lies: (honest: ApiClient) => Partial<ApiClient> = () => ({})) {
      const home = openSignerHome(join(folder, name));
      const keys = join(folder, name, "keys");
      const token = { text: await readFile(join(folder, `${name}.token`), "utf8"), from: "a test" };
      const honest = createApiClient(site.url, token);
      const api = { ...honest, ...lies(honest) };
      return createSigner({ home, keys, key: await readKey(keys, name), api, now: () => at.clock.now() });
    },
  };
}
