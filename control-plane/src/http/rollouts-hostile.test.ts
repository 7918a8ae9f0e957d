/** Rollouts under clocks that are set back, replays that look on, devices that lie, and a control plane that fails half way. */
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import Sqlite from "better-sqlite3";
import { expect, test, vi } from "vitest";
import { canaries, names, newer, one, rolloutSite, two } from "../../test/rollout-site.ts";
import { verdictOf } from "../../test/rollout-world.ts";
import { runCaptured } from "../../test/run-captured.ts";
import { hello } from "../../test/site.ts";

test("[R50] set back an hour in the middle of a rollout, the control plane still sees what is bad, at once", async () => {
  const { site, live, tell, start, look } = await rolloutSite();
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
  const { site, live, tell, start, look, round } = await rolloutSite();
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
  const { site, live, start, look, round } = await rolloutSite({
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
  const first = await rolloutSite();
  await first.live();
  await first.start();
  await first.live();
  const canary = (await first.look()).members[0]?.agent ?? "";
  const at = first.site.clock.now();
  await first.site.close();
  const file = new Sqlite(join(first.site.home, "data", "vedette.db"));
  file.prepare("UPDATE rollouts SET state = 'rolled_back', ended_at = ?").run(at);
  file.close();
  const { site, look } = await rolloutSite({ home: first.site.home, clock: first.site.clock });
  expect(site.hints).toEqual([]);
  site.clock.advance(60_000);
  expect(await look()).toMatchObject({ state: "rolled_back", returned: { of: 1, done: 0, waiting: [canary] } });
  await vi.waitFor(() => expect(site.hints.map(({ agent }) => agent)).toEqual([canary]));
  const { assignment } = await hello(site, canary, { abilities: newer });
  expect(assignment?.slots[0]).toMatchObject({ digest: one.digest });
});

test("[R54] a restart is not that all devices went away: no other one stands in for a canary that has not said hello yet", async () => {
  const first = await rolloutSite();
  await first.live();
  await first.start({ stages: [{ kind: "canary", share: 0.25 }, canaries[1] as (typeof canaries)[number]] });
  await first.live(1);
  first.site.clock.advance(10_000);
  const before = await first.look();
  const canary = before.members[0]?.agent ?? "";
  await first.site.close();
  const { site, round } = await rolloutSite({ home: first.site.home, clock: first.site.clock });
  const other = names.find((name) => name !== canary) ?? "";
  await site.fleet.presence(other, true, 2);
  expect((await round()).members.map(({ agent, state }) => [agent, state])).toEqual([[canary, "updating"]]);
  // Nor is it that they are there for ever.
  site.clock.advance(150_000);
  await site.fleet.presence(other, true, 2);
  const states = (await round()).members.map(({ agent, state }) => [agent, state]);
  expect(Object.fromEntries(states)).toEqual({ [canary]: "offline", [other]: "updating" });
});

test("[R70] what a device said of drift before it was revoked speaks for no version any more", async () => {
  const { site, live, start, look, round } = await rolloutSite();
  await live();
  await start({ stages: [{ kind: "canary", share: 1 }], metrics: [{ metric: "drift", margin: 0.1 }] });
  const drifts = async (agent: string, verdict: string, { digest } = two) => {
    const { assignment } = await hello(site, agent, { abilities: newer });
    const driftVerdict = { verdict, top: null, windows: 9, untrusted: false };
    const told = { model: "rain", serving: { digest, release: 2 }, previous: null, candidate: null };
    const slot = { ...told, served: 1, drift: [], driftVerdict, sources: {}, reasons: {} };
    const report = { agent, rev: assignment?.rev ?? 0, at: 0, abilities: newer, labels: {}, slots: [slot] };
    await site.fleet.reported(agent, report);
  };
  const [first = "", second = "", third = ""] = names;
  await drifts(first, "critical");
  await drifts(second, "stable");
  await drifts(third, "stable", one);
  const found = async () => (await look()).verdict?.findings.find(({ metric }) => metric === "drift");
  await round();
  expect(await found()).toMatchObject({ estimate: 0.5 });
  expect(await site.call("POST", `/v1/devices/${first}/revoke`, { reason: "stolen" })).toMatchObject({ status: 200 });
  await round();
  expect(await found()).toMatchObject({ estimate: 0 });
});

test("absurd requests are the asker's fault, each with its reason, and leave no rollout", async () => {
  const { site, live } = await rolloutSite();
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
  const { site, live, start, look } = await rolloutSite();
  await live();
  const starts = await Promise.all(Array.from({ length: 20 }, () => start()));
  expect(starts.map(({ status }) => status).toSorted()).toEqual([200, ...Array(19).fill(409)]);
  const acts = ["abort", "pause", "abort", "resume", "abort"];
  const acted = await Promise.all(acts.map((act) => site.call("POST", `/v1/rollouts/1/${act}`, {})));
  expect(acted.filter(({ status }) => status === 200)).toHaveLength(1);
  expect(await look()).toMatchObject({ state: expect.stringMatching(/aborted|paused/) });
});

test("[R74] of two operators who approve the same stage the second does not approve the one after it unseen", async () => {
  const { site, live, start, look, round } = await rolloutSite({ parts: { judge: async () => verdictOf("promote") } });
  await live();
  await start({ stages: canaries.map((stage) => ({ ...stage, share: 1, approval: true })) });
  expect(await look()).toMatchObject({ state: "waiting_for_approval", stage: 0 });
  const approve = (stage: number) => site.call("POST", "/v1/rollouts/1/approve", { stage });
  expect(await approve(1)).toMatchObject({ status: 200 });
  await live();
  expect(await round()).toMatchObject({ state: "waiting_for_approval", stage: 1 });
  expect(await approve(1)).toMatchObject({
    status: 409,
    body: { error: { message: expect.stringContaining("stands at stage 2") } },
  });
  const token = (await readFile(join(site.home, "operator.token"), "utf8")).trim();
  const env = { VEDETTE_URL: site.url, VEDETTE_TOKEN: token };
  const late = await runCaptured(["rollout", "approve", "1", "--stage", "1"], { env });
  expect([late.code, late.err]).toEqual([1, expect.stringContaining("stands at stage 2")]);
  expect(await look()).toMatchObject({ state: "waiting_for_approval", stage: 1 });
  expect(await site.call("POST", "/v1/rollouts/1/pause", { stage: 2 })).toMatchObject({ status: 400 });
  expect((await runCaptured(["rollout", "pause", "1"], { env })).code).toBe(0);
  expect(await runCaptured(["rollout", "approve", "1", "--stage", "2"], { env })).toMatchObject({
    code: 0,
    out: expect.stringMatching(/^Rollout 1 has its stage approved, and is still paused\./),
  });
  expect((await runCaptured(["rollout", "resume", "1"], { env })).out).toMatch(/^Rollout 1 goes on\./);
  expect(await look()).toMatchObject({ state: "running", stage: 1 });
});
