import { writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { type GateState, gateState } from "@vedette/protocol/gate-api";
import { rollout } from "@vedette/protocol/rollouts-api";
import { signedBytes } from "@vedette/protocol/signed";
import Sqlite from "better-sqlite3";
import { expect, test, vi } from "vitest";
import { type Vedette, vedetteOf } from "../../test/commands.ts";
import { abilities, enroll, hello, startSite } from "../../test/site.ts";
import { openOnlineKeys } from "../release/online-keys.ts";
import { verifyEd25519 } from "../verify-ed25519.ts";

/** Each report runs the model twice, in processes of their own. */
vi.setConfig({ testTimeout: 120_000 });

const linear = fileURLToPath(new URL("../../../fixtures/models/written/linear.onnx", import.meta.url));
const policy = { stages: [{ kind: "canary", share: 1 }] };

/** A site with a first version on one device, and the commands of its operator. */
async function ready() {
  let site = await startSite({ gated: true });
  const { home, clock } = site;
  const vedette: Vedette = (...args) => vedetteOf(site, home, { now: () => clock.now() })(...args);
  /** Restarted over a database that somebody wrote to. */
  const tamper = async (sql: string, ...values: string[]) => {
    await site.close();
    const db = new Sqlite(join(home, "data/vedette.db"));
    db.prepare(sql).run(...values);
    db.close();
    site = await startSite({ home, clock, gated: true });
  };
  const csv = join(home, "data.csv");
  await writeFile(csv, "a,b,y\n1,2,3\n4,5,6\n7,8,9\n");
  const publish = async (...more: string[]) => {
    const flags = ["--name", "pump", "--model", linear, "--reference", csv, "--label", "y", ...more];
    expect(await vedette("model", "publish", ...flags)).toMatchObject({ code: 0, err: "" });
  };
  const show = async (version: number) =>
    gateState.parse((await site.call("GET", `/v1/models/pump/versions/${version}/gate`)).body);
  const start = (version: number) => site.call("POST", "/v1/rollouts", { model: "pump", version, policy });
  const overrideUntil = (version: number, expiresAt: string) =>
    site.call("POST", `/v1/models/pump/versions/${version}/gate/override`, { reason: "a slow site", expiresAt });
  const look = async () => rollout.parse((await site.call("GET", "/v1/rollouts/1")).body);
  expect(await vedette("keys", "init")).toMatchObject({ code: 0 });
  await publish();
  await enroll(site, "pump-1");
  await hello(site, "pump-1", { abilities: { ...abilities, kernelAbi: 2 } });
  await site.call("POST", "/v1/assignments", { model: "pump", version: 1, selector: { all: true } });
  return { home, clock, vedette, publish, show, start, tamper, look, overrideUntil, call: () => site.call };
}

const says = ({ report }: GateState) => Object.fromEntries(report?.checks.map((one) => [one.name, one.passed]) ?? []);
const all = ["golden", "latency", "memory"].flatMap((name) => [`${name}.node-cpu`, `${name}.wasm`]);

test("[K20] a version carries a report of this gate before a rollout takes it: run on both backends, and signed", async () => {
  const { clock, vedette, publish, show, start, tamper } = await ready();
  await publish("--cache-age", "1h");
  const state = await show(2);
  expect(state).toMatchObject({ state: "passed", report: { version: 2, digest: state.digest, site: "test" } });
  expect(says(state)).toMatchObject(Object.fromEntries([...all, "signature", "manifest"].map((name) => [name, true])));
  const { payload, signatures } = state.signed ?? { payload: "", signatures: [] };
  const message = Buffer.from(`vedette/gate-report/1\n${payload}`);
  expect(verifyEd25519(state.key, message, signatures[0]?.sig ?? "")).toBe(true);
  const told = (await vedette("gate", "show", "--model", "pump")).out;
  expect(told).toMatch(/pump version 2 passed the gate/);
  expect(told).toMatch(/golden\.node-cpu +passed +(exact|off by (under )?[\d.]+ % of the tolerance) /);
  expect((await vedette("gate", "show", "--model", "pump", "--json")).json()).toEqual(state);
  expect(await vedette("gate", "show", "--model", "pump", "--version", "9")).toMatchObject({ code: 1 });
  expect((await vedette("audit", "list", "--json")).out).toContain("gate.report");

  // As after a crash between publishing and its report: the newest is checked again by itself.
  await tamper("DELETE FROM gate_reports");
  expect(await start(1)).toMatchObject({
    status: 409,
    body: { error: { message: expect.stringMatching(/no report yet.*vedette gate run/s) } },
  });
  clock.advance(60_000);
  await vi.waitFor(async () => expect(await show(2)).toMatchObject({ state: "passed" }), 30_000);
  expect(await show(1)).toMatchObject({ state: "missing" });
  expect((await vedette("gate", "show", "--model", "pump", "--version", "1", "--fail")).code).toBe(3);
  expect(await vedette("gate", "run", "--model", "pump", "--version", "1")).toMatchObject({ code: 0 });
  expect(await show(1)).toMatchObject({ state: "passed" });
  expect(await start(2)).toMatchObject({ status: 200 });
});

test("[K22] [K33] what failed is released only by an override with a reason, by whom it says, until it ends", async () => {
  const { clock, vedette, publish, show, start, look, overrideUntil } = await ready();
  await publish("--latency-ms", "0.000001");
  expect(says(await show(2))).toMatchObject({ "golden.wasm": true, "latency.node-cpu": false, "latency.wasm": false });
  expect(await start(2)).toMatchObject({
    status: 409,
    body: { error: { message: expect.stringMatching(/gate.*latency\.node-cpu: p99/s) } },
  });

  const override = ["gate", "override", "--model", "pump", "--version", "2", "--reason", "a slow site", "--expires"];
  const how = "Write how long it holds from now, as --expires 24h (or 90m, 7d); 30d at most.";
  for (const wrong of ["31d", "tomorrow", "2026-12-01", "24"])
    expect(await vedette(...override, wrong)).toMatchObject({ code: 1, out: "", err: expect.stringContaining(how) });
  // Whoever asks without the command is told by the control plane.
  expect(await overrideUntil(2, "2026-12-24T12:00:00Z")).toMatchObject({
    status: 400,
    body: { error: { message: expect.stringContaining("30 days from now") } },
  });
  const ask = async (...flags: string[]) => (await vedette("gate", "show", "--model", "pump", ...flags)).code;
  expect([await ask(), await ask("--fail"), await ask("--version", "1", "--fail")]).toEqual([0, 3, 0]);
  const ran = await vedette("gate", "run", "--model", "pump", "--fail");
  expect(ran).toMatchObject({ code: 3, err: "", out: expect.stringContaining("pump version 2 failed the gate") });
  expect(await vedette(...override.slice(0, -3), "--expires", "1h")).toMatchObject({
    code: 1,
    err: expect.stringMatching(/--reason/),
  });
  const passed = ["gate", "override", "--model", "pump", "--version", "1", "--reason", "why not", "--expires", "1h"];
  expect(await vedette(...passed)).toMatchObject({ code: 1, err: expect.stringMatching(/nothing to override/) });
  expect(await vedette(...override, "2h")).toMatchObject({
    code: 0,
    out: /is let pass: admin let it pass until .* \(a slow site\)/,
  });
  expect(await show(2)).toMatchObject({ state: "overridden", override: { by: "admin", reason: "a slow site" } });
  expect(await ask("--fail")).toBe(0);
  expect((await vedette("audit", "list", "--json")).out).toMatch(/gate\.override.*a slow site/s);

  expect(await start(2)).toMatchObject({ status: 200, body: { state: "running" } });
  clock.advance(3_600_000);
  expect(await look()).toMatchObject({ state: "running" });
  clock.advance(3_600_000);
  await vi.waitFor(async () =>
    expect(await look()).toMatchObject({ state: "aborted", why: expect.stringContaining("gate") }),
  );
  expect(await show(2)).toMatchObject({ state: "failed", why: expect.stringContaining("which is over") });
});

test("[K32] an override is withdrawn before its time, and a rollout by it is aborted", async () => {
  const { clock, vedette, publish, show, start, look } = await ready();
  await publish("--latency-ms", "0.000001");
  const of = (verb: string, reason: string) => ["gate", verb, "--model", "pump", "--version", "2", "--reason", reason];
  expect(await vedette(...of("withdraw", "early"))).toMatchObject({
    code: 1,
    err: expect.stringMatching(/pump version 2 has no override in force: latency/),
  });
  await vedette(...of("override", "a slow site"), "--expires", "2h");
  expect(await start(2)).toMatchObject({ body: { state: "running" } });
  expect(await vedette(...of("withdraw", "too slow after all"))).toMatchObject({
    code: 0,
    out: expect.stringMatching(/failed the gate: .*admin withdrew the override \(too slow after all\)/s),
  });
  const { out } = await vedette("gate", "show", "--model", "pump");
  // Of each check that failed the reason is told once: in the table.
  expect(out).toMatch(/^pump version 2 failed the gate: latency\.node-cpu; latency\.wasm; admin withdrew .*\nChecked /);
  const wrong = (await show(2)).report?.checks.filter(({ passed }) => passed === false) ?? [];
  for (const { name, why } of wrong) expect(out.split(why), name).toHaveLength(2);
  clock.advance(60_000);
  await vi.waitFor(async () =>
    expect(await look()).toMatchObject({ state: "aborted", why: expect.stringContaining("withdrew the override") }),
  );
  expect(await show(2)).toMatchObject({ state: "failed", override: { withdrawn: true, reason: "too slow after all" } });
  expect((await vedette("audit", "list")).out).toMatch(/gate\.withdraw .*too slow after all/);
  expect(await vedette(...of("override", "once more"), "--expires", "2h")).toMatchObject({ code: 0 });
  expect(await show(2)).toMatchObject({ state: "overridden" });
});

test("[K23] a report or override that was changed, or is another version's, proves nothing", async () => {
  const { vedette, publish, show, start, tamper } = await ready();
  await publish("--latency-ms", "0.000001");
  const [good, bad] = [await show(1), await show(2)];
  const put = (signed: unknown) =>
    tamper("UPDATE gate_reports SET signed = ? WHERE digest = ?", JSON.stringify(signed), bad.digest);
  const changed = bad.signed?.payload.replaceAll('"passed":false', '"passed":true');
  expect(changed).not.toBe(bad.signed?.payload);
  for (const forged of [{ ...bad.signed, payload: changed }, { ...bad.signed, signatures: [] }, good.signed, {}]) {
    await put(forged);
    expect(await show(2)).toMatchObject({ state: "missing", report: null });
    expect(await start(2)).toMatchObject({
      status: 409,
      body: { error: { message: expect.stringMatching(/not what this gate signed/) } },
    });
    const override = ["gate", "override", "--model", "pump", "--reason", "r", "--expires", "1h"];
    expect(await vedette(...override)).toMatchObject({ code: 1 });
  }
  await put(bad.signed);
  expect(await vedette("gate", "override", "--model", "pump", "--reason", "r", "--expires", "1h")).toMatchObject({
    code: 0,
  });
  await tamper("UPDATE gate_overrides SET signed = replace(signed, '2026-', '2027-')");
  expect(await show(2)).toMatchObject({ state: "failed", override: null });
});

test("[R81] a report that another Vedette made stops nothing: the newest version is checked again, of others it is said", async () => {
  const { home, clock, vedette, publish, show, start, tamper, look, call } = await ready();
  await publish("--cache-age", "1h");
  expect(await start(2)).toMatchObject({ status: 200 });
  const { gate: key } = await openOnlineKeys(join(home, "data/online-keys"));
  for (const version of [1, 2]) {
    const { signed, digest } = await show(version);
    const payload = signed?.payload.replace("gate-report/1", "gate-report/9") ?? "";
    const text = { payload, signatures: [{ keyid: key.keyid, sig: key.sign(signedBytes("gate-report", payload)) }] };
    await tamper("UPDATE gate_reports SET signed = ? WHERE digest = ?", JSON.stringify(text), digest);
  }
  const unread = { state: "missing", why: expect.stringMatching(/another version of Vedette/), report: null };
  expect(await show(1)).toMatchObject(unread);
  expect(await call()("GET", "/v1/production")).toMatchObject({ status: 200 });
  clock.advance(60_000);
  await vi.waitFor(async () => expect(await show(2)).toMatchObject({ state: "passed" }), 30_000);
  expect(await look()).toMatchObject({ state: "aborted", why: unread.why });
  expect(await show(1)).toMatchObject(unread);
  expect(await vedette("gate", "run", "--model", "pump", "--version", "1")).toMatchObject({ code: 0 });
  expect(await show(1)).toMatchObject({ state: "passed" });
});
