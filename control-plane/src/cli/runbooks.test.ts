/** The runbooks, tried: every command in them is run, in their order, on a site where it happened. */
import { copyFile, mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { deviceList, tokenList } from "@vedette/protocol/api";
import { expect, onTestFinished, test, vi } from "vitest";
import { commandsOf, type Ran, shell, type Vedette, vedetteOf } from "../../test/commands.ts";
import { makeKey } from "../../test/operator.ts";
import { startReceiver } from "../../test/receiver.ts";
import { enroll, enrollBody, makeToken, startSite } from "../../test/site.ts";
import { alertCatalogue, alertNames } from "../monitoring/alerts/catalogue.ts";

/** A runbook is many commands. */
vi.setConfig({ testTimeout: 120_000 });

const runbook = (name: string) => new URL(`../../../docs/runbooks/${name}.md`, import.meta.url);
const linear = fileURLToPath(new URL("../../../fixtures/models/written/linear.onnx", import.meta.url));

/** A site with trust, and an operator with a folder of their own. */
async function ready() {
  const folder = await mkdtemp(join(tmpdir(), "vedette-runbook-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  const site = await startSite();
  await copyFile(join(site.home, "operator.token"), join(folder, "operator.token"));
  const vedette = vedetteOf(site, folder, { now: () => site.clock.now() });
  expect(await vedette("keys", "init")).toMatchObject({ code: 0 });
  await copyFile(linear, join(folder, "model.onnx"));
  const rows = Array.from({ length: 300 }, (_, i) => `${i % 50},${i % 7},${i % 11}`);
  await writeFile(join(folder, "data.csv"), `a,b,failed\n${rows.join("\n")}\n`);
  return { folder, site, vedette };
}

/** Runs every command of a runbook. Each must end well. @returns what each printed, by its line. */
async function follow(
  name: string,
  { folder, vedette }: Awaited<ReturnType<typeof ready>>,
  words: Readonly<Record<string, string>> = {},
): Promise<Map<string, Ran>> {
  const ran = new Map<string, Ran>();
  const lines = await commandsOf(runbook(name));
  expect(lines.length).toBeGreaterThan(1);
  for (const line of lines) {
    const filled = Object.entries(words).reduce((text, [word, value]) => text.replaceAll(word, value), line);
    const done = await shell(vedette, folder, filled);
    expect({ line, code: done.code, err: done.code === 0 ? "" : done.err }).toEqual({ line, code: 0, err: "" });
    ran.set(line, done);
  }
  return ran;
}
const devicesOf = async (vedette: Vedette) =>
  deviceList.parse((await vedette("device", "list", "--json")).json()).devices;

test("[S30] lost-device.md", async () => {
  const place = await ready();
  await enroll(place.site, "station-7");
  const ran = await follow("lost-device", place);
  expect(ran.get("audit list --subject station-7")?.out).toMatch(
    /admin +device\.revoke +station-7 .*stolen from the van/,
  );
  expect((await devicesOf(place.vedette)).map(({ agent, revoked }) => [agent, revoked])).toEqual([["station-7", null]]);
});

test("[S30] stolen-token.md", async () => {
  const place = await ready();
  const { token } = await makeToken(place.site, { uses: 3 });
  const stranger = { agent: "stranger-1", key: makeKey() };
  expect(await place.site.call("POST", "/v1/enroll", enrollBody(token, stranger))).toMatchObject({ status: 200 });
  expect(await place.vedette("operator", "add", "ben", "--role", "operator")).toMatchObject({ code: 0 });
  const [stolen] = tokenList.parse((await place.vedette("token", "list", "--json")).json()).tokens;
  const before = await readFile(join(place.folder, "operator.token"), "utf8");
  const ran = await follow("stolen-token", place, { TOKEN_ID: stolen?.id ?? "" });
  expect(ran.get("token revoke TOKEN_ID")?.out).toContain("stranger-1");
  expect(ran.get("audit verify")?.out).toContain("each following from the one before");
  expect((await devicesOf(place.vedette))[0]?.revoked?.reason).toBe("joined by a stolen token");
  const another = { agent: "stranger-2", key: makeKey() };
  const late = await place.site.call("POST", "/v1/enroll", enrollBody(token, another), { authorization: "" });
  expect(late).toMatchObject({ status: 403, body: { error: { message: expect.stringContaining("was revoked") } } });
  expect(await readFile(join(place.folder, "operator.token"), "utf8")).not.toBe(before);
  // The token that was stolen opens nothing, nor does it come back with a restart of the server that still has its file.
  const { status } = await place.site.call("GET", "/v1/whoami", undefined, {
    authorization: `Bearer ${before.trim()}`,
  });
  expect(status).toBe(401);
});

test("[S30] stolen-online-key.md", async () => {
  const place = await ready();
  const online = async () => (await place.vedette("keys", "list", "--json")).json() as { roles: { role: string }[] };
  const before = await online();
  const ran = await follow("stolen-online-key", place);
  const after = await online();
  for (const role of ["snapshot", "timestamp", "director"]) {
    const keys = (list: typeof before) => list.roles.find((one) => one.role === role);
    expect(keys(after)).not.toEqual(keys(before));
  }
  expect(ran.get("keys list")?.out).toMatch(/^director /m);
  expect(after.roles.some(({ role }) => role.includes("not named"))).toBe(false);
});

test("[S30] stolen-offline-key.md", async () => {
  const place = await ready();
  const publish = "model publish --name pump --model model.onnx --reference data.csv --label failed";
  expect(await shell(place.vedette, place.folder, publish)).toMatchObject({ code: 0 });
  const ran = await follow("stolen-offline-key", place);
  expect(ran.get("keys rotate --role root")?.out).toMatch(/root-2 [0-9a-f]{8} \(1 needed\)/);
  expect(ran.get("model revoke --name pump --version 2 --below")?.out).toContain(
    "Revoked: pump version 1; the floor is 2.",
  );
});

test("[S30] expired-metadata.md", async () => {
  const place = await ready();
  place.site.clock.advance(370 * 86_400_000);
  const listed = await place.vedette("keys", "list");
  expect(listed.out).toMatch(/^root .*EXPIRED/m);
  expect(listed.out).toMatch(/^targets .*EXPIRED/m);
  expect((await place.vedette("production")).out).toMatch(/Warning: the signed metadata of root expired on/);
  const ran = await follow("expired-metadata", place);
  expect(ran.get("keys list")?.out).not.toContain("EXPIRED");
  // The alert of it fires on until nothing was wrong for five minutes.
  expect(ran.get("production")?.out).not.toContain("Warning: the signed metadata");
});

test("[Z14] every alert has a runbook, whose commands work and which the control plane shows", async () => {
  const place = await ready();
  await enroll(place.site, "station-7");
  const [model, rows] = ["model.onnx", "data.csv"].map((name) => join(place.folder, name)) as [string, string];
  const rain = ["--name", "rain", "--model", model, "--reference", rows, "--label", "failed"];
  expect(await place.vedette("model", "publish", ...rain)).toMatchObject({ code: 0 });
  await place.site.call("POST", "/v1/alert-receivers", { name: "pager", url: (await startReceiver()).url });
  await writeFile(rows, `${await readFile(rows, "utf8")}1,2,3\n`);
  expect(await place.vedette("model", "publish", ...rain)).toMatchObject({ code: 0 });
  for (const line of [
    "model assign --name rain --version 1 --all",
    "rollout start --model rain --version 2 --stages canary:1",
  ])
    expect(await shell(place.vedette, place.folder, line)).toMatchObject({ code: 0 });
  place.site.clock.advance(340 * 86_400_000);
  await vi.waitFor(async () => {
    place.site.clock.advance(30_000);
    expect((await place.vedette("alert", "list")).out).toContain("VedetteMetadataExpiring");
  }, 20_000);
  for (const name of alertNames) {
    const { runbook: page } = alertCatalogue[name];
    if (page !== "expired-metadata") await follow(page, place, { ALERT_ID: "1", ROLLOUT_ID: "1" });
    const shown = await fetch(`${place.site.url}/runbooks/${page}`);
    expect([shown.status, await shown.text()]).toEqual([200, await readFile(runbook(page), "utf8")]);
  }
});
