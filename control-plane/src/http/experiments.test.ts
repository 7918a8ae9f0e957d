import { type ExperimentInDetail, experiment } from "@vedette/protocol/experiments-api";
import type { Reported } from "@vedette/protocol/messages";
import { lotOf } from "@vedette/protocol/split";
import { expect, test, vi } from "vitest";
import { makeBundle } from "../../test/bundle.ts";
import { vedetteOf } from "../../test/commands.ts";
import { type RecordsSite, startRecordsSite } from "../../test/records-site.ts";
import { abilities, enroll, hello, initialiseTrust, publish, type Site, startSite, trustOf } from "../../test/site.ts";

const one = makeBundle("rain", "one");
const two = makeBundle("rain", "two");
const names = ["gauge-1", "gauge-2", "gauge-3", "gauge-4"];
const able = { ...abilities, capability: 4 };
const plan = { metric: "business:sales", better: "higher", split: "devices" };
const refused = (code: string, words: string) => ({
  body: { error: { code, message: expect.stringContaining(words) } },
});

/** @param start brings a lake where something is measured. */
async function ready<S extends Site>(start: () => Promise<S>): Promise<S> {
  return (await readyToSign(start)).site;
}
async function readyToSign<S extends Site>(start: () => Promise<S>) {
  const site = await start();
  const operator = await initialiseTrust(site);
  await publish(site, operator, [one]);
  await publish(site, operator, [one, two]);
  for (const name of names) await enroll(site, name);
  await site.call("POST", "/v1/assignments", { model: "rain", version: 1, selector: { all: true } });
  for (const name of names) await there(site, name);
  return { site, operator };
}
/** Is online, and says hello. */
async function there(site: Site, name: string, has = able) {
  await site.fleet.presence(name, true, 1);
  return (await hello(site, name, { abilities: has })).assignment?.slots[0];
}
const start = (site: Site, more: object = {}, over: object = {}) =>
  site.call("POST", "/v1/experiments", { model: "rain", version: 2, plan: { ...plan, ...more }, ...over });
const look = async (site: Site, id = 1): Promise<ExperimentInDetail> =>
  experiment.parse((await site.call("GET", `/v1/experiments/${id}`)).body);

test("[C10] devices are divided, and each is assigned what its arm says: nothing is asked of both", async () => {
  const site = await ready(startSite);
  expect(await start(site)).toMatchObject({ status: 200, body: { id: 1, state: "running" } });
  const { devices } = await look(site);
  expect(devices.map(({ arm }) => arm).toSorted()).toEqual(["candidate", "candidate", "incumbent", "incumbent"]);
  for (const { agent, arm } of devices) {
    const slot = await there(site, agent);
    expect(slot?.digest).toBe(arm === "candidate" ? two.digest : one.digest);
    expect(slot).not.toHaveProperty("beside");
  }
});

test("[C10] by entities the signed assignment names both versions and the lot; who cannot is told apart", async () => {
  const site = await ready(startSite);
  await there(site, "gauge-4", { ...able, capability: 3 });
  await start(site, { split: "entities", share: 0.25 });
  const slot = await there(site, "gauge-1");
  expect(slot).toMatchObject({
    digest: one.digest,
    beside: { digest: two.digest, release: 2, split: { salt: expect.stringMatching(/^[0-9a-f]{32}$/), share: 0.25 } },
  });
  expect(await there(site, "gauge-4", { ...able, capability: 3 })).not.toHaveProperty("beside");
  const { devices, leftOut } = await look(site);
  expect(devices.map(({ agent, arm }) => [agent, arm])).toEqual(names.slice(0, 3).map((name) => [name, "both"]));
  expect(leftOut).toEqual([{ agent: "gauge-4", reason: expect.stringContaining("cannot split requests") }]);
});

test("[C10] a device is in one rollout or experiment of a model, and nothing is assigned beside it", async () => {
  const site = await ready(startSite);
  const policy = { stages: [{ kind: "canary", share: 1 }] };
  const rollout = () => site.call("POST", "/v1/rollouts", { model: "rain", version: 2, policy });
  await start(site);
  expect(await rollout()).toMatchObject({ status: 409, ...refused("conflict", "vedette experiment stop 1") });
  expect(await start(site)).toMatchObject({ status: 409, ...refused("conflict", "experiment 1") });
  const assign = { model: "rain", version: 1, selector: { devices: ["gauge-2"] } };
  expect(await site.call("POST", "/v1/assignments", assign)).toMatchObject(refused("conflict", "experiment 1"));
  await site.call("POST", "/v1/experiments/1/stop", {});
  expect(await rollout()).toMatchObject({ status: 200, body: { id: 2 } });
  expect(await start(site)).toMatchObject({ status: 409, ...refused("conflict", "vedette rollout abort 2") });
  // Each is looked for under its own name.
  expect(await site.call("GET", "/v1/rollouts/1")).toMatchObject({
    status: 404,
    ...refused("not_found", "an experiment"),
  });
  expect(await site.call("POST", "/v1/rollouts/1/pause", {})).toMatchObject({ status: 404 });
  expect(await site.call("GET", "/v1/experiments/2")).toMatchObject({
    status: 404,
    ...refused("not_found", "a rollout"),
  });
  expect((await site.call("GET", "/v1/rollouts")).body).toMatchObject({ rollouts: [{ id: 2 }] });
  expect((await site.call("GET", "/v1/experiments")).body).toMatchObject({ experiments: [{ id: 1 }] });
});

test("what could not be told apart or compared is refused before anything begins", async () => {
  const site = await ready(startSite);
  const only = { selector: { devices: ["gauge-1"] } };
  expect(await start(site, {}, only)).toMatchObject(refused("unsupported", "split by entities"));
  expect(await start(site, { split: "entities" }, only)).toMatchObject({ status: 200 });
  await site.call("POST", "/v1/experiments/1/stop", {});
  expect(await start(site, { until: "2020-01-01T00:00:00Z" })).toMatchObject(
    refused("invalid_argument", "over at once"),
  );
  expect(await start(site, { metric: "accuracy" })).toMatchObject({ status: 400 });
  expect(await start(site, {}, { version: 9 })).toMatchObject({ status: 404 });
  expect(await start(site, {}, { version: 1 })).toMatchObject({ status: 409 });
});

test("[C11] stopped with the candidate kept, it is the rule; every step is in the audit, with what was found", async () => {
  const site = await ready(startSite);
  await start(site);
  const { status, body } = await site.call("POST", "/v1/experiments/1/stop", {
    keep: "candidate",
    reason: "sells more",
  });
  expect({ status, body }).toMatchObject({ status: 200, body: { state: "promoted" } });
  for (const name of names) expect((await there(site, name))?.digest).toBe(two.digest);
  expect(await site.call("POST", "/v1/experiments/1/stop", {})).toMatchObject({ status: 409 });
  const { entries } = (await site.call("GET", "/v1/audit?subject=experiment-1")).body as {
    entries: { actor: string; action: string; detail: Record<string, unknown> }[];
  };
  expect(entries.toReversed().map(({ actor, action }) => `${actor} ${action}`)).toEqual([
    "admin experiment.start",
    "control-plane experiment.begin_stage",
    "control-plane experiment.take",
    "admin experiment.stop",
  ]);
  expect(entries[0]?.detail).toMatchObject({ keep: "candidate", reason: "sells more" });
});

test("a rollout that waited for what gave its version to all its devices is over, and keeps nothing else from them", async () => {
  const site = await ready(startSite);
  const stages = [{ kind: "canary", share: 1 }];
  await start(site);
  const queue = { model: "rain", version: 2, queue: true, policy: { stages } };
  expect(await site.call("POST", "/v1/rollouts", queue)).toMatchObject({ status: 200, body: { state: "queued" } });
  await site.call("POST", "/v1/experiments/1/stop", { keep: "candidate" });
  site.clock.advance(2_000);
  await vi.waitFor(async () => {
    const { body } = await site.call("GET", "/v1/rollouts/2");
    expect(body).toMatchObject({ state: "aborted", why: expect.stringContaining("version 2 by the standing rules") });
  });
  const assign = { model: "rain", version: 1, selector: { all: true } };
  expect(await site.call("POST", "/v1/assignments", assign)).toMatchObject({ status: 200 });
});

test("[C11] a candidate that the gate does not let pass any more is not kept, however soon somebody says so", async () => {
  let gate = { passed: true, why: "an override" };
  const site = await ready(() => startSite({ parts: { gate: async () => gate } }));
  await start(site);
  gate = { passed: false, why: "its override is over" };
  const stopped = await site.call("POST", "/v1/experiments/1/stop", { keep: "candidate" });
  expect(stopped).toMatchObject({ status: 409, ...refused("conflict", "its override is over") });
  expect(await look(site)).toMatchObject({ state: "aborted" });
  for (const name of names) expect((await there(site, name))?.digest).toBe(one.digest);
});

test("[C11] stopped with the incumbent kept, every device returns to it", async () => {
  const site = await ready(startSite);
  await start(site);
  expect(await site.call("POST", "/v1/experiments/1/stop", {})).toMatchObject({ body: { state: "concluded" } });
  for (const name of names) expect((await there(site, name))?.digest).toBe(one.digest);
});

test("[C17] paused, no device joins and its plan does not end it; resumed it goes on; both are in the audit", async () => {
  const site = await ready(startSite);
  const act = (what: string, body: object = {}) => site.call("POST", `/v1/experiments/1/${what}`, body);
  const until = new Date(site.clock.now() + 60_000).toISOString();
  await start(site, { split: "entities", until });
  expect(await act("resume")).toMatchObject({ status: 409, ...refused("conflict", "experiment 1 is not paused") });
  expect(await act("pause", { reason: "the shop is closed" })).toMatchObject({
    status: 200,
    body: { state: "paused", why: "the shop is closed" },
  });
  expect(await act("pause")).toMatchObject({ status: 409, ...refused("conflict", "is paused already") });
  expect(await act("abort")).toMatchObject({ status: 400 });
  await enroll(site, "gauge-5");
  await there(site, "gauge-5");
  site.clock.advance(120_000);
  expect(await look(site)).toMatchObject({ state: "paused", devices: { length: 4 } });
  // Who is in it stays split.
  expect(await there(site, "gauge-1")).toMatchObject({ beside: { digest: two.digest } });
  expect(await there(site, "gauge-5")).not.toHaveProperty("beside");
  expect(await act("resume", { reason: "open again" })).toMatchObject({ body: { state: "concluded" } });
  const { entries } = (await site.call("GET", "/v1/audit?subject=experiment-1")).body as {
    entries: { actor: string; action: string; detail: Record<string, unknown> }[];
  };
  const said = entries.toReversed().map(({ actor, action, detail }) => [actor, action, detail.reason]);
  expect(said.slice(3)).toEqual([
    ["admin", "experiment.pause", "the shop is closed"],
    ["admin", "experiment.resume", "open again"],
    ["control-plane", "experiment.conclude", undefined],
  ]);
  expect(await act("pause")).toMatchObject({ status: 409, ...refused("conflict", "experiment 1 is over") });
});

test("[C17] one that paused itself says what ends it, and by resume it is paused again while that stands", async () => {
  const { site, operator } = await readyToSign(startSite);
  await start(site, { split: "entities" });
  const { versions } = await trustOf(site);
  const floor = operator.targets({ version: (versions.targets ?? 0) + 1, models: ["rain"], floors: { rain: 2 } });
  expect(await site.call("PUT", "/v1/trust/metadata", { metadata: [floor] })).toMatchObject({ status: 200 });
  const vedette = vedetteOf(site, site.home, { now: () => site.clock.now() });
  site.clock.advance(2_000);
  const shown = (await vedette("experiment", "show", "1")).out;
  expect(shown).toContain("nothing to return to");
  expect(shown).toContain("Next: vedette experiment resume 1, or stop 1");
  expect((await vedette("experiment", "resume", "1")).out).toContain("Experiment 1 is paused again.");
  expect(await vedette("experiment", "stop", "1", "--keep", "candidate")).toMatchObject({ code: 0 });
  expect((await there(site, "gauge-1"))?.digest).toBe(two.digest);
});

test("[C3] a device whose candidate trips says so, and the experiment is taken back", async () => {
  const site = await ready(startSite);
  await start(site, { split: "entities" });
  const rev = (await hello(site, "gauge-1", { abilities: able })).assignment?.rev ?? 0;
  const serving = { digest: one.digest, release: 1 };
  const tripped = {
    state: "rejected",
    reason: "exceptions",
    why: "it threw",
    answering: one.digest,
    pairs: 0,
    skipped: 0,
  };
  const slot = {
    model: "rain",
    serving,
    previous: null,
    candidate: null,
    beside: { digest: two.digest, release: 2, ...tripped },
  };
  const report: Reported = {
    ...{ agent: "gauge-1", rev, at: 0, abilities: able, labels: {} },
    slots: [{ ...slot, served: 9, drift: [], sources: {}, reasons: {} }],
  };
  await site.fleet.reported("gauge-1", report);
  site.clock.advance(2_000);
  await look(site);
  expect(await look(site)).toMatchObject({ state: "rolled_back", why: expect.stringContaining("it threw") });
});

/** A batch of a device's answers, one each entity. */
async function answered(
  site: RecordsSite,
  version: 1 | 2,
  entities: readonly (string | null)[],
  { agent = "gauge-1", seq = 0, from }: { agent?: string; seq?: number; from: number },
) {
  const { digest } = version === 1 ? one : two;
  const count = entities.length;
  const epoch = `${version}`.repeat(16);
  await site.take({
    ...{ agent, seq, count, epoch, firstN: 100 * seq },
    header: { digest, release: version },
    columns: {
      entity: ["text", [...entities]],
      time: ["f64", Float64Array.from(entities, (_, i) => from + i)],
    },
  });
}
/** Looks until so many units have values. */
function untilMeasured(site: RecordsSite, { candidate, incumbent }: { candidate: number; incumbent: number }) {
  const look = async () => {
    site.clock.advance(2_000);
    const now = experiment.parse((await site.call("GET", "/v1/experiments/1")).body);
    expect(now.result).toMatchObject({ candidate: { measured: candidate }, incumbent: { measured: incumbent } });
    return now.result;
  };
  return vi.waitFor(look, { timeout: 20_000, interval: 200 });
}

test("[C9] units are told by their lots: each counts once, from its first answer after the split began, by any key", async () => {
  const site = await ready(startRecordsSite);
  await start(site, { split: "entities" });
  const salt = (await there(site, "gauge-1"))?.beside?.split?.salt ?? "";
  const all = Array.from({ length: 80 }, (_, i) => `customer-${i}`);
  const mine = all.filter((name) => lotOf(salt, name) < 0.5);
  const theirs = all.filter((name) => lotOf(salt, name) >= 0.5);
  const began = site.clock.now() + 1000;
  // Before the candidate's first answer there is no split: these take part in nothing.
  await answered(site, 1, ["too-early", ...theirs.slice(0, 1)], { from: began - 500 });
  await answered(site, 2, ["the-first", ...mine], { from: began });
  await answered(site, 1, theirs, { seq: 1, from: began + 10 });
  // One of the candidate's, answered by the incumbent too: it stays where its lot put it.
  await answered(site, 1, mine.slice(0, 1), { seq: 2, from: began + 500 });
  const sales = [
    ...mine.map((entity, i) => ({ entity, value: 3 + (i % 2) })),
    ...theirs.map((entity, i) => ({ entity, value: 1 + (i % 2) })),
    // Of the same unit, before it took part, of a prediction, of nobody.
    { entity: mine[0], value: 100, at: began - 400 },
    { prediction: `gauge-1.rain.${"1".repeat(16)}.100`, value: 1, at: began - 9_999_999 },
    { entity: "nobody", value: 50 },
  ].map((line) => ({ model: "rain", name: "sales", at: began + 60_000, ...line }));
  expect(await site.call("POST", "/v1/metrics", sales)).toMatchObject({ status: 200, body: { stored: sales.length } });
  const result = await untilMeasured(site, { candidate: mine.length, incumbent: theirs.length });
  expect(result).toMatchObject({
    says: "better",
    candidate: {
      units: mine.length,
      measured: mine.length,
      values: mine.length,
      crossed: 1,
      mean: expect.closeTo(3.5, 1),
    },
    incumbent: { units: theirs.length, values: theirs.length + 1, mean: expect.closeTo(1.5, 1) },
    checks: [
      { of: "units", alarm: false },
      { of: "measured", alarm: false },
    ],
  });
  expect(result?.difference?.estimate).toBeCloseTo(2, 0);
});

test("[C9] by devices the unit is the device, however much it says, and it counts from when it was drawn", async () => {
  const site = await ready(startRecordsSite);
  await start(site);
  const { devices } = await look(site);
  const of = (wanted: string) => devices.filter(({ arm }) => arm === wanted).map(({ agent }) => agent);
  const began = site.clock.now() + 1000;
  for (const agent of of("candidate")) {
    await answered(site, 1, [null], { agent, from: began });
    await answered(site, 2, [null, null], { agent, from: began + 10 });
  }
  for (const agent of of("incumbent")) await answered(site, 1, [null, null], { agent, from: began });
  // Before it was drawn.
  await answered(site, 1, [null], { agent: of("incumbent")[0] as string, seq: 1, from: began - 9_999_999 });
  const values = [
    ...of("candidate").flatMap((device, i) => Array.from({ length: 1 + 9 * i }, () => ({ device, value: 4 }))),
    ...of("incumbent").map((agent) => ({ prediction: `${agent}.rain.${"1".repeat(16)}.0`, value: 2 })),
    { device: of("incumbent")[0], value: 100, at: began - 5_000_000 },
  ].map((line) => ({ model: "rain", name: "sales", at: began + 60_000, ...line }));
  expect(await site.call("POST", "/v1/metrics", values)).toMatchObject({ status: 200 });
  const result = await untilMeasured(site, { candidate: 2, incumbent: 2 });
  expect(result).toMatchObject({
    says: "too_few",
    candidate: { units: 2, values: 11, mean: 4, crossed: 0 },
    incumbent: { units: 2, values: 2, mean: 2, crossed: 0 },
    why: expect.stringContaining("compared by entities"),
  });
});

test("[C15] a metric of a prediction goes with the entity that was erased, also one that comes later", async () => {
  const site = await ready(startRecordsSite);
  await answered(site, 1, ["customer-1", "customer-2"], { from: site.clock.now() });
  const line = (n: number) => {
    const prediction = `gauge-1.rain.${"1".repeat(16)}.${n}`;
    return { model: "rain", name: "sales", value: 1, at: site.clock.now(), prediction };
  };
  const told = async () =>
    (await site.call("GET", "/v1/metrics")).body as { metrics: { n: number; version: number }[] };
  await site.call("POST", "/v1/metrics", [line(0), line(1)]);
  expect((await told()).metrics).toMatchObject([{ version: 1, n: 2 }]);
  await site.call("POST", "/v1/predictions/erasures", { entity: "customer-1" });
  expect((await told()).metrics).toMatchObject([{ version: 1, n: 1 }]);
  await site.call("POST", "/v1/metrics", line(0));
  await site.call("POST", "/v1/predictions/flush");
  expect((await told()).metrics).toMatchObject([{ version: 1, n: 1 }]);
  const other = { ...line(1), model: "snow" };
  expect(await site.call("POST", "/v1/metrics", other)).toMatchObject(refused("invalid_argument", "another model's"));
});

test("the commands start, list, show and stop one, and say in words what the API says", async () => {
  const site = await ready(startSite);
  const vedette = vedetteOf(site, site.home, { now: () => site.clock.now() });
  const started = await vedette(
    "experiment",
    "start",
    "--model",
    "rain",
    "--version",
    "2",
    "--metric",
    "business:sales",
    "--better",
    "higher",
    "--split",
    "devices",
    "--until",
    "14d",
  );
  expect(started).toMatchObject({ code: 0, out: expect.stringContaining("Next: vedette experiment watch 1") });
  expect((await vedette("experiment", "show", "1")).out).toMatch(/gauge-\d +candidate/);
  expect((await vedette("experiment", "list")).out).toContain("business:sales");
  expect((await vedette("production")).out).toContain("vedette experiment watch 1");
  const paused = (await vedette("experiment", "pause", "1", "--reason", "closed")).out;
  expect(paused).toContain("Experiment 1 is paused.");
  expect(paused).toContain("closed");
  expect((await vedette("experiment", "resume", "1")).out).toContain("Experiment 1 goes on.");
  expect((await vedette("experiment", "stop", "1", "--reason", "enough")).out).toContain("the incumbent is kept");
  expect((await vedette("experiment", "watch", "1")).out).toContain("concluded");
  expect(
    await vedette(
      "experiment",
      "start",
      "--model",
      "rain",
      "--metric",
      "sales",
      "--better",
      "higher",
      "--split",
      "devices",
    ),
  ).toMatchObject({ code: 1 });
});
