/** Rollouts under clocks that are set back, replays that look on, devices that lie, and a control plane that fails half way. */
import { join } from "node:path";
import type { Reported } from "@vedette/protocol/messages";
import type { rolloutPolicy } from "@vedette/protocol/rollout";
import { rollout as rolloutSchema } from "@vedette/protocol/rollouts-api";
import { latencyBin, type ShadowParcel, shadowParcel } from "@vedette/protocol/shadow";
import Sqlite from "better-sqlite3";
import { expect, test, vi } from "vitest";
import type { z } from "zod";
import { makeBundle } from "../../test/bundle.ts";
import type { ManualClock } from "../../test/clock.ts";
import { abilities, enroll, hello, initialiseTrust, publish, startSite } from "../../test/site.ts";
import type { Parts } from "../compose.ts";

const one = makeBundle("rain", "one");
const two = makeBundle("rain", "two");
const newer = { ...abilities, capability: 3 };
const names = ["gauge-1", "gauge-2", "gauge-3", "gauge-4"];
const metrics = [{ metric: "unfit" as const, margin: 0.02 }];
const canaries = [
  { kind: "canary" as const, share: 0.25 },
  { kind: "canary" as const, share: 1 },
];
type Fit = ShadowParcel["counts"]["fit"];

/** A site whose devices have version 1 by a rule; version 2 is published. The real judge reads what they tell. */
async function ready(over: { home?: string; clock?: ManualClock; parts?: Partial<Parts> } = {}) {
  const site = await startSite(over);
  if (!over.home) {
    const operator = await initialiseTrust(site);
    await publish(site, operator, [one]);
    await publish(site, operator, [one, two]);
    for (const name of names) await enroll(site, name);
    await site.call("POST", "/v1/assignments", { model: "rain", version: 1, selector: { all: true } });
  }
  let n = 0;
  /** Each says hello, follows, and reports that it served so many predictions. */
  const live = async (served = 20) => {
    for (const agent of names) {
      await site.fleet.presence(agent, true, 1);
      const { assignment } = await hello(site, agent, { abilities: newer });
      const slot = assignment?.slots[0];
      if (!assignment || !slot) continue;
      const serving = { digest: slot.digest, release: slot.release ?? 1 };
      const told = { model: "rain", serving, previous: null, candidate: null, served, drift: [] };
      const report: Reported = {
        ...{ agent, rev: assignment.rev, at: 0, abilities: newer, labels: {} },
        slots: [{ ...told, sources: {}, reasons: {} }],
      };
      await site.fleet.reported(agent, report);
    }
  };
  /** A canary tells what came of its rows. */
  const tell = (agent: string, fit: Fit, epoch = "00000000000000aa") => {
    const rows = fit.reduce((sum, count) => sum + count, 0);
    const runs = [[latencyBin(2), rows]];
    return site.fleet.shadow(
      agent,
      shadowParcel.parse({
        ...{ model: "rain", answering: two.digest, beside: one.digest, window: { epoch, n: n++, from: 0, to: 1 } },
        counts: {
          ...{ rows, skipped: 0, fit, agreed: fit[0], table: fit[0] > 0 ? [[0, 0, fit[0]]] : [], value: null },
          confidence: { n: fit[0], sum: 0, sumSquares: 0 },
          latency: { answering: runs, beside: runs },
        },
        ...{ disagreements: [], omitted: 0 },
      }),
    );
  };
  const start = (policy: z.input<typeof rolloutPolicy> = {}) =>
    site.call("POST", "/v1/rollouts", { model: "rain", version: 2, policy: { stages: canaries, metrics, ...policy } });
  const look = async (id = 1) => rolloutSchema.parse((await site.call("GET", `/v1/rollouts/${id}`)).body);
  const round = async () => {
    site.clock.advance(2_000);
    return look();
  };
  return { site, live, tell, start, look, round };
}

test("[R50] set back an hour in the middle of a rollout, the control plane still sees what is bad, at once", async () => {
  const { site, live, tell, start, look } = await ready();
  await live();
  await start();
  await live();
  const canary = (await look()).members[0]?.agent ?? "";
  site.clock.advance(2_000);
  site.clock.set(site.clock.now() - 3_600_000);
  expect(await tell(canary, [0, 0, 200, 0])).not.toHaveProperty("refused");
  // An operator's act makes a round of its own; paused, what turns out bad is taken back all the same.
  await site.call("POST", "/v1/rollouts/1/pause", {});
  expect(await look()).toMatchObject({ state: "rolled_back", why: expect.stringContaining("unfit") });
});

test("[R53] a replay of a rollout that goes on does not change what it is judged by", async () => {
  const { site, live, tell, start, look, round } = await ready();
  await live();
  await start();
  await live();
  const canary = (await look()).members[0]?.agent ?? "";
  await tell(canary, [400, 0, 0, 0]);
  await round();
  const policy = { stages: [{ kind: "canary", share: 1 }], metrics: [{ metric: "unfit", margin: 0.03 }] };
  expect(await site.call("POST", "/v1/rollouts/1/replay", { policy })).toMatchObject({ status: 200 });
  await tell(canary, [1_600, 0, 0, 0]);
  expect(await round()).toMatchObject({ stage: 1 });
  await live();
  await round();
  // Of the last stage nothing was told yet, and it stands for itself.
  expect(await round()).toMatchObject({ state: "running", stage: 1 });
});

test("[R59] where the evidence cannot be read, what fails on devices is taken back all the same, and nothing is promoted", async () => {
  const { site, live, start, look, round } = await ready({
    parts: {
      judge: async () => {
        throw new Error("the lake is away");
      },
    },
  });
  await live();
  await start({ stages: [{ kind: "canary", share: 1 }], undecided: { afterMinutes: 1, end: "promote" } });
  await live();
  expect(await round()).toMatchObject({ state: "running", why: expect.stringContaining("the lake is away") });
  site.clock.advance(60_000);
  expect(await look()).toMatchObject({ state: "paused", why: expect.stringContaining("no evidence of unfit") });
  const { assignment } = await hello(site, "gauge-2", { abilities: newer });
  const serving = { digest: one.digest, release: 1 };
  const candidate = { digest: two.digest, release: 2, state: "rejected" as const, reason: "crash_loop" };
  const told = { model: "rain", serving, previous: null, candidate, served: 1, drift: [], sources: {}, reasons: {} };
  const report = { agent: "gauge-2", rev: assignment?.rev ?? 0, at: 0, abilities: newer, labels: {}, slots: [told] };
  await site.fleet.reported("gauge-2", report);
  expect(await round()).toMatchObject({ state: "rolled_back", why: expect.stringContaining("crash_loop") });
});

test("killed after a decision was written and before devices were told, it is told after the restart", async () => {
  const first = await ready();
  await first.live();
  await first.start();
  await first.live();
  const canary = (await first.look()).members[0]?.agent ?? "";
  const at = first.site.clock.now();
  await first.site.close();
  const file = new Sqlite(join(first.site.home, "data", "vedette.db"));
  file.prepare("UPDATE rollouts SET state = 'rolled_back', ended_at = ?").run(at);
  file.close();
  const { site, look } = await ready({ home: first.site.home, clock: first.site.clock });
  expect(site.hints).toEqual([]);
  site.clock.advance(60_000);
  expect(await look()).toMatchObject({ state: "rolled_back", returned: { of: 1, done: 0, waiting: [canary] } });
  await vi.waitFor(() => expect(site.hints.map(({ agent }) => agent)).toEqual([canary]));
  const { assignment } = await hello(site, canary, { abilities: newer });
  expect(assignment?.slots[0]).toMatchObject({ digest: one.digest });
});

test("[R54] a restart is not that all devices went away: no other one stands in for a canary that has not said hello yet", async () => {
  const first = await ready();
  await first.live();
  await first.start({ stages: [{ kind: "canary", share: 0.25 }, canaries[1] as (typeof canaries)[number]] });
  await first.live(1);
  first.site.clock.advance(10_000);
  const before = await first.look();
  const canary = before.members[0]?.agent ?? "";
  await first.site.close();
  const { site, round } = await ready({ home: first.site.home, clock: first.site.clock });
  const other = names.find((name) => name !== canary) ?? "";
  await site.fleet.presence(other, true, 2);
  expect((await round()).members.map(({ agent, state }) => [agent, state])).toEqual([[canary, "updating"]]);
  // Nor is it that they are there for ever.
  site.clock.advance(150_000);
  await site.fleet.presence(other, true, 2);
  const states = (await round()).members.map(({ agent, state }) => [agent, state]);
  expect(Object.fromEntries(states)).toEqual({ [canary]: "offline", [other]: "updating" });
});

test("absurd requests are the asker's fault, each with its reason, and leave no rollout", async () => {
  const { site, live } = await ready();
  await live();
  const last = { kind: "canary", share: 1 };
  const metric = (over: object) => ({ metrics: [{ metric: "unfit", margin: 0.02, ...over }] });
  const policies: object[] = [
    ...[0, -1, 1e308, null, "1", 1.0000001].map((share) => ({ stages: [{ kind: "canary", share }, last] })),
    { stages: Array.from({ length: 10_000 }, () => last) },
    { stages: [] },
    ...[0, -5, 1.5, 1e308, null].map((served) => ({ served })),
    ...[0, -0.1, null].map((margin) => metric({ margin })),
    ...[0, 1, 0.5, -0.1].map((wrongPromotion) => ({ errors: { wrongPromotion, wrongRollback: 0.05 } })),
    metric({ weight: 0 }),
    metric({ metric: "happiness" }),
    metric({ metric: "business:" }),
    metric({ metric: "latency", quantile: 1 }),
    { metrics: [] },
    { window: { from: "24:00", until: "03:00" } },
    { window: { from: "01:00", until: "03:00", zone: "Mars/Olympus" } },
    { window: { from: "01:00", until: "03:00", days: [] } },
    { startAt: "tomorrow" },
    { startAt: "2026-02-30T00:00:00Z" },
    { ramp: { perHour: 0 } },
    { ramp: { first: 1, factor: 1 } },
    { ramp: { perHour: 1, factor: 2, first: 1 } },
    { timeoutMinutes: 1e308 },
    { selector: { labels: {} } },
    { selector: { labels: { "a=b": "x" } } },
    { selector: { devices: ["../../etc"] } },
    { selector: { labels: { city: "nowhere" } } },
    { undecided: { afterMinutes: 1, end: "hope" } },
    { surprise: true },
  ];
  for (const policy of policies) {
    const answer = await site.call("POST", "/v1/rollouts", { model: "rain", version: 2, policy });
    const { error } = answer.body as { error: { code: string; message: string } };
    expect([answer.status >= 400 && answer.status < 500, error.message.length > 10, policy]).toEqual([
      true,
      true,
      policy,
    ]);
  }
  for (const path of ["0", "-1", "1e3", "99999999999999999999", "1;drop", "2"]) {
    const { status } = await site.call("GET", `/v1/rollouts/${path}`);
    expect([path, status >= 400 && status < 500]).toEqual([path, true]);
  }
  expect((await site.call("GET", "/v1/rollouts")).body).toEqual({ rollouts: [] });
});

test("of twenty who start at the same moment one does, and of acts at the same moment the first counts", async () => {
  const { site, live, start, look } = await ready();
  await live();
  const starts = await Promise.all(Array.from({ length: 20 }, () => start()));
  expect(starts.map(({ status }) => status).toSorted()).toEqual([200, ...Array(19).fill(409)]);
  const acts = ["abort", "pause", "abort", "resume", "abort"];
  const acted = await Promise.all(acts.map((act) => site.call("POST", `/v1/rollouts/1/${act}`, {})));
  expect(acted.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(await look()).toMatchObject({ state: expect.stringMatching(/aborted|paused/) });
});
