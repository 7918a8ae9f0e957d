/** Several operators, each with a folder and keys of their own, and a control plane that holds none of them. */
import { copyFile, mkdtemp, readdir, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { expect, onTestFinished, test, vi } from "vitest";
import { vedetteOf } from "../../test/commands.ts";
import { startSite, trustOf } from "../../test/site.ts";

/** A passphrase is made slow on purpose, and a busy machine makes it slower. */
vi.setConfig({ testTimeout: 120_000 });

const linear = fileURLToPath(new URL("../../../fixtures/models/written/linear.onnx", import.meta.url));
const day = 86_400_000;

async function place(...names: string[]) {
  const folder = await mkdtemp(join(tmpdir(), "vedette-turns-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const site = await startSite();
  const tokenFile = join(folder, "token");
  await copyFile(join(site.home, "operator.token"), tokenFile);
  const operator = (name: string, env: Record<string, string> = {}) =>
    vedetteOf(site, join(folder, name), { tokenFile, now: () => site.clock.now(), env });
  const pub = (name: string) => join(folder, name, "keys", `${name}.pub`);
  for (const name of names) expect(await operator(name)("keys", "make", name)).toMatchObject({ code: 0 });
  const data = join(folder, "data.csv");
  const flags = ["--name", "m", "--model", linear, "--reference", data, "--label", "y"];
  await writeFile(data, "a,b,y\n1,2,3\n4,5,6\n7,8,9\n");
  return { folder, site, operator, pub, publish: ["model", "publish", ...flags] };
}
type Pending = { outcome: string; file: string };
const pendingOf = (ran: { json(): unknown }) => ran.json() as Pending;

/** Two of three have to sign. */
async function twoOfThree() {
  const at = await place("ada", "ben", "cleo");
  const [ada, ben, cleo] = [at.operator("ada"), at.operator("ben"), at.operator("cleo")];
  const keys = ["ada", "ben", "cleo"].map(at.pub).join(",");
  const begun = await ada("keys", "init", "--threshold", "2", "--keys", keys, "--json");
  expect(begun).toMatchObject({ code: 0 });
  expect(pendingOf(begun).outcome).toBe("pending");
  expect((await trustOf(at.site)).rootSha256).toBeNull();
  // One signature twice is one signature.
  expect(pendingOf(await ada("keys", "sign", pendingOf(begun).file, "--json")).outcome).toBe("pending");
  expect(await ben("keys", "sign", pendingOf(begun).file)).toMatchObject({
    code: 0,
    out: expect.stringContaining("put"),
  });
  expect((await trustOf(at.site)).versions).toMatchObject({ root: 1, targets: 1 });
  return { ...at, ada, ben, cleo, root: (await trustOf(at.site)).rootSha256 ?? "" };
}

test("[S21] two of three sign in turns: root and targets, a project's delegation, a revocation, a rotation", async () => {
  const { site, ada, ben, cleo, publish, root, folder } = await twoOfThree();
  // Who signed nothing yet takes what stands, checked from the pinned root on.
  expect(await cleo("keys", "sync")).toMatchObject({ code: 1, err: expect.stringContaining("--root") });
  expect(await cleo("keys", "sync", "--root", "0".repeat(64))).toMatchObject({ code: 2 });
  expect(await cleo("keys", "sync", "--root", root)).toMatchObject({ code: 0 });
  expect(await ada("keys", "sync", "--root", root)).toMatchObject({ code: 0 });

  const first = await ada(...publish, "--json");
  expect(pendingOf(first).outcome).toBe("pending");
  expect((await site.call("GET", "/v1/models")).body).toEqual({ models: [] });
  expect(await cleo("keys", "sign", pendingOf(first).file)).toMatchObject({ code: 0 });
  expect((await site.call("GET", "/v1/models")).body).toMatchObject({ models: [{ name: "m" }] });

  expect(await ben("keys", "sync")).toMatchObject({ code: 0 });
  const revoked = await ben("model", "revoke", "--name", "m", "--version", "1", "--json");
  expect(pendingOf(revoked).outcome).toBe("pending");
  expect(await ada("keys", "sync")).toMatchObject({ code: 0 });
  expect(await ada("keys", "sign", pendingOf(revoked).file)).toMatchObject({ code: 0 });
  const assign = ["model", "assign", "--name", "m", "--version", "1", "--all"];
  expect(await ada(...assign)).toMatchObject({ err: expect.stringContaining("below the floor") });

  // Ben leaves, Dora comes: by the keys before and the keys after.
  const dora = join(folder, "cleo", "keys");
  expect(await cleo("keys", "make", "dora")).toMatchObject({ code: 0 });
  expect(await cleo("keys", "sync")).toMatchObject({ code: 0 });
  const rotated = await cleo(
    "keys",
    "rotate",
    "--role",
    "root",
    "--add",
    join(dora, "dora.pub"),
    "--remove",
    "ben",
    "--json",
  );
  expect(pendingOf(rotated).outcome).toBe("pending");
  expect(await ada("keys", "sign", pendingOf(rotated).file)).toMatchObject({ code: 0 });
  const listed = (await ada("keys", "list")).out;
  expect(listed).toMatch(/^root +2 .*2 of 3 +ada [0-9a-f]{8} \(here\), cleo [0-9a-f]{8}, dora [0-9a-f]{8}$/m);
  expect(listed).toMatch(/^targets +3 .*ben/m);
});

test("[S21] one of two stolen keys signs nothing alone, and somebody else's key signs nothing at all", async () => {
  const { site, ada, operator, folder } = await twoOfThree();
  await ada("keys", "sync", "--root", (await trustOf(site)).rootSha256 ?? "");
  const renewed = await ada("keys", "renew", "--json");
  expect(pendingOf(renewed).outcome).toBe("pending");
  const { metadata } = JSON.parse(await readFile(pendingOf(renewed).file, "utf8"));
  expect(await site.call("PUT", "/v1/trust/metadata", { metadata })).toMatchObject({
    status: 422,
    body: { error: { code: "bad_signature" } },
  });
  const stranger = operator("stranger");
  expect(await stranger("keys", "make", "stranger")).toMatchObject({ code: 0 });
  expect(await stranger("keys", "sign", pendingOf(renewed).file)).toMatchObject({
    code: 1,
    err: expect.stringContaining("may sign this (targets by ben"),
  });
  expect(await stranger("keys", "sign", join(folder, "data.csv"))).toMatchObject({ code: 1 });
});

test("[S22] a passphrase keeps a key: without it, or with another, nothing is signed, and nothing of the key is in the file", async () => {
  const { folder, operator } = await place();
  const [open, shut, wrong] = ["correct horse", undefined, "incorrect horse"].map((passphrase) =>
    operator("ada", passphrase === undefined ? {} : { VEDETTE_PASSPHRASE: passphrase }),
  ) as [ReturnType<typeof operator>, ReturnType<typeof operator>, ReturnType<typeof operator>];
  expect(await open("keys", "init")).toMatchObject({ code: 0 });
  const keys = join(folder, "ada", "keys");
  expect((await readdir(keys)).sort()).toEqual(["metadata", "model-signing", "root.key", "targets.key"]);
  expect(await readFile(join(keys, "root.key"), "utf8")).not.toContain("PRIVATE");
  expect(await shut("keys", "renew")).toMatchObject({ code: 1, err: expect.stringContaining("--passphrase-file") });
  expect(await wrong("keys", "renew")).toMatchObject({ code: 1, err: expect.stringContaining("does not open") });
  expect(await shut("keys", "list")).toMatchObject({ code: 0, out: expect.stringContaining("(here)") });
  expect(await open("keys", "renew")).toMatchObject({ code: 0 });
  // A file that says it is another's key is no key at all.
  const sealed = JSON.parse(await readFile(join(keys, "root.key"), "utf8"));
  await writeFile(join(keys, "root.key"), JSON.stringify({ ...sealed, publicKey: "0".repeat(64) }));
  expect(await open("keys", "renew", "--role", "root")).toMatchObject({ code: 1 });
});

test("[S23] what runs out is told well before: in keys list and production, for each role by its own term", async () => {
  const { operator, publish, site } = await place();
  const ada = operator("ada");
  expect(await ada("keys", "init")).toMatchObject({ code: 0 });
  expect(await ada(...publish)).toMatchObject({ code: 0 });
  const due = async () =>
    ((await ada("keys", "list", "--json")).json() as { roles: { role: string; state: string }[] }).roles
      .filter(({ state }) => state !== "ok")
      .map(({ role, state }) => `${role} ${state}`);
  expect(await due()).toEqual([]);
  site.clock.advance(61 * day);
  expect(await due()).toEqual(["targets renew", "project-m renew"]);
  expect((await ada("production")).out).toMatch(/Warning: the signed metadata of targets expires on .*keys renew/);
  expect(await ada("keys", "renew")).toMatchObject({ code: 0 });
  expect(await due()).toEqual([]);
  // Targets and projects have to be renewed meanwhile; root comes along once its own end is near.
  for (let i = 0; i < 4; i++) {
    site.clock.advance(61 * day);
    expect(await ada("keys", "renew")).toMatchObject({ code: 0 });
  }
  expect((await trustOf(site)).versions.root).toBe(2);
});

test("[S24] copies are taken from the control plane only where they verify, and never backwards", async () => {
  const { site, ada, folder } = await twoOfThree();
  const { rootSha256 } = await trustOf(site);
  expect(await ada("keys", "sync", "--root", rootSha256 ?? "")).toMatchObject({ code: 0 });
  // A control plane that forgot: this operator has signed a later version than it serves.
  const kept = join(folder, "ada", "keys", "metadata");
  const targets = JSON.parse(await readFile(join(kept, "1.targets.json"), "utf8"));
  targets.signed.version = 7;
  await writeFile(join(kept, "7.targets.json"), JSON.stringify(targets));
  expect(await ada("keys", "sync")).toMatchObject({ code: 2, err: expect.stringContaining("went back") });
});

test("[S21] a project's release takes two of three, once its keys are rotated to them", async () => {
  const { site, ada, cleo, publish, root, pub, folder } = await twoOfThree();
  for (const vedette of [ada, cleo]) expect(await vedette("keys", "sync", "--root", root)).toMatchObject({ code: 0 });
  const sign = async (begun: { json(): unknown }) => {
    expect(await cleo("keys", "sign", pendingOf(begun).file)).toMatchObject({ code: 0 });
    expect(await ada("keys", "sync")).toMatchObject({ code: 0 });
  };
  await sign(await ada(...publish, "--json"));
  const keys = ["ada", "ben", "cleo"].map(pub).join(",");
  const release = ["--role", "project", "--model", "m", "--threshold", "2", "--remove", "release-m", "--add", keys];
  await sign(await ada("keys", "rotate", ...release, "--json"));
  expect((await ada("keys", "list")).out).toMatch(/^project-m +2 .*2 of 3 +ada/m);
  await writeFile(join(folder, "data.csv"), "a,b,y\n9,9,9\n8,8,8\n7,8,9\n");
  const second = await ada(...publish, "--json");
  expect(pendingOf(second).outcome).toBe("pending");
  await sign(second);
  expect((await site.call("GET", "/v1/models")).body).toMatchObject({
    models: [{ versions: [{ version: 1 }, { version: 2 }] }],
  });
});
