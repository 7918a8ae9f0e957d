import type { Reported } from "@vedette/protocol/messages";
import { expect, test, vi } from "vitest";
import { vedetteOf } from "../../test/commands.ts";
import {
  able,
  experimentSite,
  experimentSiteWithKeys,
  lookAt,
  startExperiment,
  there,
} from "../../test/experiment-site.ts";
import { names, one, two } from "../../test/rollout-site.ts";
import { enroll, hello, startSite, trustOf } from "../../test/site.ts";

const refused = (code: string, words: string) => ({
  body: { error: { code, message: expect.stringContaining(words) } },
});

test("[C10] devices are divided, and each is assigned what its arm says: nothing is asked of both", async () => {
  const site = await experimentSite(startSite);
  expect(await startExperiment(site)).toMatchObject({ status: 200, body: { id: 1, state: "running" } });
  const { devices } = await lookAt(site);
  expect(devices.map(({ arm }) => arm).toSorted()).toEqual(["candidate", "candidate", "incumbent", "incumbent"]);
  for (const { agent, arm } of devices) {
    const slot = await there(site, agent);
    expect(slot?.digest).toBe(arm === "candidate" ? two.digest : one.digest);
    expect(slot).not.toHaveProperty("beside");
  }
});

test("[C10] by entities the signed assignment names both versions and the lot; who cannot is told apart", async () => {
  const site = await experimentSite(startSite);
  await there(site, "gauge-4", { ...able, capability: 3 });
  await startExperiment(site, { split: "entities", share: 0.25 });
  const slot = await there(site, "gauge-1");
  expect(slot).toMatchObject({
    digest: one.digest,
    beside: { digest: two.digest, release: 2, split: { salt: expect.stringMatching(/^[0-9a-f]{32}$/), share: 0.25 } },
  });
  expect(await there(site, "gauge-4", { ...able, capability: 3 })).not.toHaveProperty("beside");
  const { devices, leftOut } = await lookAt(site);
  expect(devices.map(({ agent, arm }) => [agent, arm])).toEqual(names.slice(0, 3).map((name) => [name, "both"]));
  expect(leftOut).toEqual([{ agent: "gauge-4", reason: expect.stringContaining("cannot split requests") }]);
});

test("[C10] a device is in one rollout or experiment of a model, and nothing is assigned beside it", async () => {
  const site = await experimentSite(startSite);
  const policy = { stages: [{ kind: "canary", share: 1 }] };
  const rollout = () => site.call("POST", "/v1/rollouts", { model: "rain", version: 2, policy });
  await startExperiment(site);
  expect(await rollout()).toMatchObject({ status: 409, ...refused("conflict", "vedette experiment stop 1") });
  expect(await startExperiment(site)).toMatchObject({ status: 409, ...refused("conflict", "experiment 1") });
  const assign = { model: "rain", version: 1, selector: { devices: ["gauge-2"] } };
  expect(await site.call("POST", "/v1/assignments", assign)).toMatchObject(refused("conflict", "experiment 1"));
  await site.call("POST", "/v1/experiments/1/stop", {});
  expect(await rollout()).toMatchObject({ status: 200, body: { id: 2 } });
  expect(await startExperiment(site)).toMatchObject({ status: 409, ...refused("conflict", "vedette rollout abort 2") });
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
  const site = await experimentSite(startSite);
  const only = { selector: { devices: ["gauge-1"] } };
  expect(await startExperiment(site, {}, only)).toMatchObject(refused("unsupported", "split by entities"));
  expect(await startExperiment(site, { split: "entities" }, only)).toMatchObject({ status: 200 });
  await site.call("POST", "/v1/experiments/1/stop", {});
  expect(await startExperiment(site, { until: "2020-01-01T00:00:00Z" })).toMatchObject(
    refused("invalid_argument", "over at once"),
  );
  expect(await startExperiment(site, { metric: "accuracy" })).toMatchObject({ status: 400 });
  expect(await startExperiment(site, {}, { version: 9 })).toMatchObject({ status: 404 });
  expect(await startExperiment(site, {}, { version: 1 })).toMatchObject({ status: 409 });
});

test("[C11] stopped with the candidate kept, it is the rule; every step is in the audit, with what was found", async () => {
  const site = await experimentSite(startSite);
  await startExperiment(site);
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
  const site = await experimentSite(startSite);
  const stages = [{ kind: "canary", share: 1 }];
  await startExperiment(site);
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
  const site = await experimentSite(() => startSite({ parts: { gate: async () => gate } }));
  await startExperiment(site);
  gate = { passed: false, why: "its override is over" };
  const stopped = await site.call("POST", "/v1/experiments/1/stop", { keep: "candidate" });
  expect(stopped).toMatchObject({ status: 409, ...refused("conflict", "its override is over") });
  expect(await lookAt(site)).toMatchObject({ state: "aborted" });
  for (const name of names) expect((await there(site, name))?.digest).toBe(one.digest);
});

test("[C11] stopped with the incumbent kept, every device returns to it", async () => {
  const site = await experimentSite(startSite);
  await startExperiment(site);
  expect(await site.call("POST", "/v1/experiments/1/stop", {})).toMatchObject({ body: { state: "concluded" } });
  for (const name of names) expect((await there(site, name))?.digest).toBe(one.digest);
});

test("[C17] paused, no device joins and its plan does not end it; resumed it goes on; both are in the audit", async () => {
  const site = await experimentSite(startSite);
  const act = (what: string, body: object = {}) => site.call("POST", `/v1/experiments/1/${what}`, body);
  const until = new Date(site.clock.now() + 60_000).toISOString();
  await startExperiment(site, { split: "entities", until });
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
  expect(await lookAt(site)).toMatchObject({ state: "paused", devices: { length: 4 } });
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
  const { site, operator } = await experimentSiteWithKeys(startSite);
  await startExperiment(site, { split: "entities" });
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
  const site = await experimentSite(startSite);
  await startExperiment(site, { split: "entities" });
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
  await lookAt(site);
  expect(await lookAt(site)).toMatchObject({ state: "rolled_back", why: expect.stringContaining("it threw") });
});

test("the commands start, list, show and stop one, and say in words what the API says", async () => {
  const site = await experimentSite(startSite);
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
