import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import type { Reported } from "@vedette/protocol/messages";
import type { RolloutVerdict } from "@vedette/protocol/rollout";
import { rollout as rolloutSchema } from "@vedette/protocol/rollouts-api";
import { expect, onTestFinished, test, vi } from "vitest";
import { makeBundle, type TestBundle } from "../../test/bundle.ts";
import type { ManualClock } from "../../test/clock.ts";
import { vedetteOf } from "../../test/commands.ts";
import { verdictOf } from "../../test/rollout-world.ts";
import { abilities, enroll, hello, initialiseTrust, publish, type Site, startSite, trustOf } from "../../test/site.ts";
import type { Parts } from "../compose.ts";

const one = makeBundle("rain", "one");
const two = makeBundle("rain", "two");
const refused = (code: string) => ({ body: { error: { code } } });
const newer = { ...abilities, capability: 3 };

/** Devices that follow what they are assigned, and report it. */
function pretend(site: Site, agents: readonly string[]) {
  const rejecting = new Set<string>();
  const deaf = new Set<string>();
  const at = { of: (digest: string) => ({ digest, release: digest === one.digest ? 1 : 2 }) };
  const served = new Map<string, number>();
  const counters = new Map<string, Pick<Reported["slots"][number], "sources" | "reasons">>();
  return {
    /** What a device counted of all its answers. */
    counters,
    rejecting,
    /** These go on as they are, and report nothing new. */
    deaf,
    /** Each says hello, follows, answers so many predictions and reports. */
    async live(predictions: number): Promise<Map<string, string>> {
      const runs = new Map<string, string>();
      for (const agent of agents) {
        await site.fleet.presence(agent, true, 1);
        if (deaf.has(agent)) continue;
        const { assignment } = await hello(site, agent, { abilities: newer });
        const slot = assignment?.slots[0];
        if (!assignment || !slot) continue;
        const bad = rejecting.has(agent) && slot.digest === two.digest;
        const digest = bad ? one.digest : slot.digest;
        runs.set(agent, digest);
        const count = (served.get(`${agent}/${digest}`) ?? 0) + predictions;
        served.set(`${agent}/${digest}`, count);
        const candidate = bad ? { ...at.of(two.digest), state: "rejected", reason: "proof_failed" } : null;
        const common = { model: "rain", serving: at.of(digest), previous: null, candidate, served: count };
        const report: Reported = {
          ...{ agent, rev: assignment.rev, at: 0, abilities: newer, labels: {} },
          slots: [{ ...common, drift: [], ...(counters.get(agent) ?? { sources: {}, reasons: {} }) }],
        };
        await site.fleet.reported(agent, report);
      }
      return runs;
    },
  };
}

const names = ["gauge-1", "gauge-2", "gauge-3", "gauge-4"];
const stages = [
  { kind: "canary", share: 0.25 },
  { kind: "canary", share: 1 },
];

async function ready(parts: Partial<Parts> = {}, over: { home?: string; clock?: ManualClock } = {}) {
  let verdict: RolloutVerdict = verdictOf("undecided");
  const site = await startSite({ ...over, parts: { judge: async () => verdict, ...parts } });
  if (!over.home) {
    const operator = await initialiseTrust(site);
    await publish(site, operator, [one]);
    await publish(site, operator, [one, two]);
    for (const name of names) await enroll(site, name);
    await site.call("POST", "/v1/assignments", { model: "rain", version: 1, selector: { all: true } });
  }
  const devices = pretend(site, names);
  const start = (policy: object = {}, more: object = {}) =>
    site.call("POST", "/v1/rollouts", { model: "rain", version: 2, policy: { stages, ...policy }, ...more });
  const look = async (id = 1) => rolloutSchema.parse((await site.call("GET", `/v1/rollouts/${id}`)).body);
  /** A round of the reconciler. */
  const round = async () => {
    site.clock.advance(2_000);
    // Answered after the round that the timer began.
    await look();
  };
  const say = (next: RolloutVerdict["verdict"]) => {
    verdict = verdictOf(next);
  };
  return { site, devices, start, round, look, say };
}
const running = (runs: ReadonlyMap<string, string>, { digest }: TestBundle) =>
  [...runs.values()].filter((each) => each === digest).length;

test("[R19] a rollout goes from one device to all, and its promotion is the new standing rule, written with it", async () => {
  const { site, devices, start, round, look, say } = await ready();
  await devices.live(5);
  expect(await start()).toMatchObject({ status: 200, body: { id: 1, state: "running", eligible: 4, cohort: 1 } });
  expect(running(await devices.live(20), two)).toBe(1);
  await round();
  expect(await look()).toMatchObject({ stage: 0, verdict: { verdict: "undecided" } });
  say("promote");
  await round();
  expect(await look()).toMatchObject({ stage: 1, state: "running" });
  expect(running(await devices.live(20), two)).toBe(4);
  await round();
  expect(await look()).toMatchObject({ state: "promoted", returned: null });
  expect(running(await devices.live(1), two)).toBe(4);
  // Who joins now follows the rule.
  await enroll(site, "gauge-9");
  expect((await hello(site, "gauge-9")).assignment?.slots[0]?.digest).toBe(two.digest);
  const { body } = await site.call("GET", "/v1/audit?subject=rollout-1");
  const actions = (body as { entries: { action: string; actor: string }[] }).entries.map(
    (e) => `${e.actor} ${e.action}`,
  );
  expect(actions.toReversed()).toEqual([
    "admin rollout.start",
    "control-plane rollout.begin_stage",
    "control-plane rollout.take",
    "control-plane rollout.pass_stage",
    "control-plane rollout.begin_stage",
    "control-plane rollout.take",
    "control-plane rollout.promote",
  ]);
});

test("[R35] a version that fails on devices is rolled back, and all of them run the one before", async () => {
  const { site, devices, start, round, look } = await ready();
  await devices.live(5);
  for (const name of names) devices.rejecting.add(name);
  await start();
  await devices.live(20);
  await round();
  const found = await look();
  expect(found).toMatchObject({ state: "rolled_back", why: expect.stringContaining("proof_failed") });
  expect(running(await devices.live(1), one)).toBe(4);
  expect((await look()).returned).toEqual({ of: 1, done: 1, waiting: [] });
  expect(await site.call("POST", "/v1/rollouts/1/resume", {})).toMatchObject({ status: 409, ...refused("conflict") });
});

test("a device that failed stands first where a rollout's devices are shown", async () => {
  const { site, devices, start, round } = await ready();
  await devices.live(5);
  devices.rejecting.add("gauge-4");
  await start({ stages: [{ kind: "canary", share: 1 }], failures: { share: 1, atLeast: 4 } });
  await devices.live(20);
  await round();
  const { out } = await vedetteOf(site, site.home, { now: () => site.clock.now() })("rollout", "show", "1");
  expect(out).toMatch(/^DEVICE.*\ngauge-4 +canary +failed/m);
});

test("[R36] a control plane that is restarted goes on where it was", async () => {
  const first = await ready();
  await first.devices.live(5);
  await first.start();
  await first.devices.live(20);
  await first.site.close();
  const { site, devices, round, look, say } = await ready({}, { home: first.site.home, clock: first.site.clock });
  say("promote");
  await devices.live(20);
  await round();
  await round();
  expect((await look()).stage).toBe(1);
  await devices.live(20);
  await round();
  await round();
  expect(await look()).toMatchObject({ state: "promoted" });
  expect(site.url).not.toBe(first.site.url);
});

test("[R37] one rollout a model and device: another is refused or queued, and nothing is assigned beside it", async () => {
  const { site, devices, start, round, look } = await ready();
  await devices.live(5);
  await start();
  expect(await start()).toMatchObject({ status: 409, ...refused("conflict") });
  const assign = () =>
    site.call("POST", "/v1/assignments", { model: "rain", version: 1, selector: { devices: ["gauge-2"] } });
  expect(await assign()).toMatchObject({
    status: 409,
    body: { error: { message: expect.stringContaining("rollout 1") } },
  });
  expect(await start({}, { queue: true })).toMatchObject({ body: { id: 2, state: "queued" } });
  await site.call("POST", "/v1/rollouts/1/abort", { reason: "not today" });
  expect(await look()).toMatchObject({ state: "aborted", why: "not today" });
  await devices.live(5);
  await round();
  expect(await look(2)).toMatchObject({ state: "running" });
  await site.call("POST", "/v1/rollouts/2/abort", {});
  expect(await assign()).toMatchObject({ status: 200 });
});

test("[R38] nothing begins that has not passed the gate, is no version, or could not be honoured", async () => {
  const { devices, start } = await ready({ gate: async () => ({ passed: false, why: "accuracy .61 against .80" }) });
  await devices.live(5);
  expect(await start()).toMatchObject({
    status: 409,
    body: { error: { message: expect.stringMatching(/accuracy \.61 .*vedette gate show --model/) } },
  });
  const passing = await ready();
  expect(await passing.start()).toMatchObject({ status: 200 });
  const other = await ready();
  expect(await other.start({}, { version: 9 })).toMatchObject({ status: 404 });
  expect(await other.start({ stages: [{ kind: "canary", share: 0.5 }] })).toMatchObject(refused("invalid_argument"));
  expect(await other.start({ stages: [stages[1], stages[0], stages[1]] })).toMatchObject(refused("invalid_argument"));
  expect(await other.start({ window: { from: "22:00", until: "23:00", zone: "Atlantis" } })).toMatchObject(
    refused("invalid_argument"),
  );
  // Before its first hello no agent is known to be able to.
  expect(await other.start({ stages: [{ kind: "shadow", share: 1 }, ...stages] })).toMatchObject(
    refused("unsupported"),
  );
  expect(await other.start({ selector: { devices: ["nobody"] } })).toMatchObject({ status: 404 });
});

test("[R39] a shadow is asked beside the incumbent, and a canary has the incumbent asked beside it", async () => {
  const { site, devices, start } = await ready();
  await devices.live(5);
  await start({ stages: [{ kind: "shadow", share: 1, sample: 0.5 }, ...stages] });
  const slot = (await hello(site, "gauge-1", { abilities: newer })).assignment?.slots[0];
  expect(slot).toMatchObject({ digest: one.digest, beside: { digest: two.digest, release: 2, sample: 0.5 } });
  await site.call("POST", "/v1/rollouts/1/abort", {});
  await start({ stages: [{ kind: "canary", share: 1 }] });
  const canary = (await hello(site, "gauge-1", { abilities: newer })).assignment?.slots[0];
  expect(canary).toMatchObject({ digest: two.digest, beside: { digest: one.digest, release: 1, sample: 1 } });
});

test("[R26] revoking the candidate aborts its rollout", async () => {
  const site = await startSite({ parts: { judge: async () => verdictOf("undecided") } });
  const operator = await initialiseTrust(site);
  await publish(site, operator, [one]);
  await publish(site, operator, [one, two]);
  for (const name of names) await enroll(site, name);
  await site.call("POST", "/v1/assignments", { model: "rain", version: 1, selector: { all: true } });
  const devices = pretend(site, names);
  await devices.live(1);
  await site.call("POST", "/v1/rollouts", { model: "rain", version: 2, policy: { stages: [stages[1]] } });
  expect(running(await devices.live(1), two)).toBe(4);
  // The project takes version 2 from its list.
  const listed = [{ digest: one.digest, length: one.length, release: 1 }];
  await site.call("PUT", "/v1/trust/metadata", { metadata: [operator.project("rain", listed, { version: 3 })] });
  site.clock.advance(2_000);
  expect((await site.call("GET", "/v1/rollouts/1")).body).toMatchObject({ state: "aborted" });
  expect(running(await devices.live(1), one)).toBe(4);
});

test("[H19] where what a rollout returns to is revoked it stops and says so; taken back, nobody keeps it for want of another", async () => {
  const site = await startSite({ parts: { judge: async () => verdictOf("undecided") } });
  const operator = await initialiseTrust(site);
  await publish(site, operator, [one]);
  await publish(site, operator, [one, two]);
  for (const name of names) await enroll(site, name);
  await site.call("POST", "/v1/assignments", { model: "rain", version: 1, selector: { all: true } });
  const devices = pretend(site, names);
  await devices.live(1);
  await site.call("POST", "/v1/rollouts", { model: "rain", version: 2, policy: { stages } });
  const given = [...(await devices.live(1))].flatMap(([agent, digest]) => (digest === two.digest ? [agent] : []));
  expect(given).toHaveLength(1);
  const [canary = ""] = given;
  const round = async () => {
    site.clock.advance(2_000);
    return rolloutSchema.parse((await site.call("GET", "/v1/rollouts/1")).body);
  };
  expect(await round()).toMatchObject({ state: "running" });

  // Version 1 is revoked while version 2 is on one device.
  const { versions } = await trustOf(site);
  const floor = operator.targets({ version: (versions.targets ?? 0) + 1, models: ["rain"], floors: { rain: 2 } });
  expect(await site.call("PUT", "/v1/trust/metadata", { metadata: [floor] })).toMatchObject({ status: 200 });
  const nothing = `1 of its devices have nothing to return to (${canary}: rain version 1 is revoked`;
  expect(await round()).toMatchObject({ state: "paused", why: expect.stringContaining(nothing) });
  // No revoked version is assigned; who answers by the candidate goes on, the others have none.
  expect([...(await devices.live(1))]).toEqual([[canary, two.digest]]);
  expect((await round()).leftOut).toEqual(
    expect.arrayContaining([{ agent: expect.any(String), reason: expect.stringContaining("is revoked") }]),
  );
  await site.call("POST", "/v1/rollouts/1/resume", {});
  expect(await round()).toMatchObject({ state: "paused", why: expect.stringContaining(nothing) });

  await site.call("POST", "/v1/rollouts/1/abort", { reason: "enough" });
  expect([...(await devices.live(1))]).toEqual([]);
  expect((await site.call("GET", "/v1/production")).body).toMatchObject({
    models: [
      {
        versions: expect.arrayContaining([
          expect.objectContaining({
            version: 1,
            pending: expect.arrayContaining([
              { agent: canary, state: "withheld", reason: expect.stringContaining("is not its own: assign another") },
            ]),
          }),
        ]),
      },
    ],
  });
  // An operator's own word.
  await site.call("POST", "/v1/assignments", { model: "rain", version: 2, selector: { devices: [canary] } });
  expect([...(await devices.live(1))]).toEqual([[canary, two.digest]]);
});

test("[R27] another policy is run over what happened, and says what it would have done, when", async () => {
  const { site, devices, start, round, look, say } = await ready();
  await devices.live(5);
  await start({ undecided: { afterMinutes: 60, end: "pause" } });
  await devices.live(20);
  await round();
  site.clock.advance(20 * 60_000);
  await devices.live(20);
  await round();
  say("promote");
  await round();
  await devices.live(20);
  await round();
  expect(await look()).toMatchObject({ state: "promoted" });
  const replay = (policy: object) => site.call("POST", "/v1/rollouts/1/replay", { policy: { stages, ...policy } });
  expect((await replay({ undecided: { afterMinutes: 60, end: "pause" } })).body).toMatchObject({
    would: { state: "promoted" },
  });
  const stricter = (await replay({ undecided: { afterMinutes: 10, end: "rollback" } })).body;
  expect(stricter).toMatchObject({ was: { state: "promoted" }, would: { state: "rolled_back" } });
  expect(stricter).toMatchObject({ would: { why: expect.stringContaining("10 minutes") } });
});

test("the command starts, lists, shows, watches, acts and replays", async () => {
  const { site, devices, start, round, say } = await ready();
  const vedette = vedetteOf(site, site.home);
  await devices.live(5);
  const started = await vedette(
    "rollout",
    "start",
    "--model",
    "rain",
    "--all",
    "--stages",
    "canary:0.25,canary:1",
    "--in-flight",
    "2",
  );
  expect(started).toMatchObject({ code: 0, out: expect.stringContaining("Next: vedette rollout watch 1") });
  await devices.live(20);
  await round();
  const shown = await vedette("rollout", "show", "1");
  expect(shown.out).toMatch(/1 canary {3}25 % {2}now\n {4}\[#{30}\] of 1: 1 counted \(#\)/);
  expect(shown.out).toMatch(/^gauge-\d +canary +counted +20\/20/m);
  expect(shown.out).toMatch(/^unfit +undecided/m);
  const watched = await vedette("rollout", "watch", "1", "--json");
  expect(watched.json()).toMatchObject({ id: 1, state: "running" });
  expect((await vedette("production")).out).toMatch(/Rollout 1: rain version 2, running, stage 1 of 2/);
  expect(await vedette("rollout", "pause", "1", "--reason", " ")).toMatchObject({ code: 1 });
  expect(await vedette("rollout", "pause", "1", "--reason", "lunch")).toMatchObject({ code: 0 });
  expect((await vedette("rollout", "list")).out).toMatch(/1 +rain +2 +paused +1\/2 .*lunch/);
  expect((await vedette("rollout", "pause", "1")).code).toBe(1);
  await vedette("rollout", "resume", "1");
  say("promote");
  await round();
  await devices.live(20);
  await round();
  await round();
  await devices.live(20);
  await round();
  expect((await vedette("rollout", "watch", "1", "--fail")).out).toMatch(/promoted, 4 of 4 devices count/);
  expect(await start({}, { version: 1 })).toMatchObject({ status: 200 });
  await vedette("rollout", "abort", "2");
  expect((await vedette("rollout", "watch", "2", "--fail")).code).toBe(3);
  expect((await vedette("rollout", "start", "--model", "rain", "--stages", "canary:2")).code).toBe(1);
});

test("[A21] [R60] what runs where, and because of which rollout, is told in the middle of one and after it was taken back", async () => {
  const { site, devices, start, round, look } = await ready();
  const folder = await mkdtemp(join(tmpdir(), "vedette-rollouts-"));
  onTestFinished(() => rm(folder, { recursive: true }));
  await copyFile(join(site.home, "operator.token"), join(folder, "operator.token"));
  const vedette = vedetteOf(site, folder);
  await devices.live(5);
  await start({ stages: [{ kind: "shadow", share: 0.5 }, ...stages] });
  const shadows = (await look()).members.map(({ agent }) => agent).sort();
  expect((await vedette("production")).out).toMatch(
    new RegExp(
      `rain version 2: in no answer yet.*\n(.*\n)*? +by rollout +1: asked beside .* on ${shadows.join(", ")} `,
    ),
  );
  await site.call("POST", "/v1/rollouts/1/abort", { reason: "not today" });
  await start();
  await devices.live(20);
  await round();
  const [canary = ""] = (await look(2)).members.map(({ agent }) => agent);
  const said = (await vedette("production")).out;
  expect(said).toMatch(
    new RegExp(
      `rain version 2: in production on 1 of 1 device\n(.*\n)*? +trained (.*\n)*? +by rollout +2: canary on ${canary} `,
    ),
  );
  expect(said).toMatch(/rain version 1: in production on 3 of 3 devices/);
  const shown = (await vedette("device", "show", canary)).out;
  expect(shown).toMatch(
    /serving +version 2, 20 predictions\n(.*\n)*? +rollout +answers by version 2 as canary of rollout 2, counted/,
  );
  expect((await vedette("device", "list")).out).toContain("rain@2 canary (2)");
  devices.rejecting.add(canary);
  await devices.live(20);
  await round();
  expect(await look(2)).toMatchObject({ state: "rolled_back" });
  expect((await vedette("production")).out).toMatch(
    /rain version 2 was rolled back at .* \(rollout 2\)\n.*proof_failed.*\n +1 of 1 device that had it run the version before again/,
  );
  await devices.live(1);
  expect((await vedette("production")).out).toMatch(
    /rain version 2: rolled back at .* by rollout 2, and assigned to nobody\n/,
  );
  expect((await vedette("device", "show", canary)).out).toMatch(
    /rollout +returned from version 2 \(rollout 2, rolled back: .*proof_failed.*\)/,
  );
  expect((await vedette("device", "list")).out).toContain("back from rain@2 (2)");
  expect(await vedette("device", "show", "nobody")).toMatchObject({
    code: 1,
    err: expect.stringContaining("device list"),
  });
  site.clock.advance(8 * 86_400_000);
  const later = (await vedette("production")).out;
  expect(later).not.toContain("run the version before again");
  expect(later).toMatch(
    /rain version 2: rolled back at .* by rollout 2, .*\n(.*\n)*? +not kept +.*proof_failed.*\(vedette rollout show 2\)/,
  );
  expect(await site.call("GET", "/v1/production")).toMatchObject({
    body: { models: [{ versions: [{ version: 1 }, { version: 2, notKept: { rollout: 2, state: "rolled_back" } }] }] },
  });
});

test("[A10] a rollback is an alert, critical while devices do not return, a warning once they did; a later rollout ends it", async () => {
  const { site, devices, start, round } = await ready();
  const alerts = async () => {
    const { body } = await site.call("GET", "/v1/alerts?state=firing");
    const told = (body as { alerts: { name: string; severity: string; labels: object }[] }).alerts;
    return told
      .filter(({ name }) => name.startsWith("VedetteRollout"))
      .map(({ name, severity, labels }) => [severity, name, labels]);
  };
  /** Until the alerts were looked at, devices being heard of all the while. */
  const untilTold = (what: unknown) =>
    vi.waitFor(
      async () => {
        for (const name of names) await site.fleet.presence(name, true, 1);
        site.clock.advance(30_000);
        expect(await alerts()).toEqual(what);
      },
      { timeout: 20_000, interval: 20 },
    );
  const labels = { model: "rain", version: "2", rollout: "1" };
  await devices.live(5);
  await start({ stages: [{ kind: "canary", share: 1 }] });
  await devices.live(20);
  for (const name of names) devices.rejecting.add(name);
  // Two of them reject it; two go on answering by it, whatever they are told.
  for (const name of names.slice(0, 2)) devices.deaf.add(name);
  await devices.live(20);
  await round();
  await untilTold([["critical", "VedetteRolloutRolledBack", labels]]);
  devices.deaf.clear();
  await devices.live(1);
  await untilTold([["warning", "VedetteRolloutRolledBack", labels]]);
  await start();
  await untilTold([]);
});

test("[R63] a device that does not count because nobody asks it, or because its fallback answers, says so long before its time is out", async () => {
  const { site, devices, start, round, look } = await ready();
  const vedette = vedetteOf(site, site.home);
  for (const name of names)
    devices.counters.set(name, { sources: { model: 400, rule: 100 }, reasons: { stale_model: 100 } });
  await devices.live(5);
  await start();
  // What it counted before it had the version says nothing.
  await devices.live(3);
  await round();
  const [{ agent: canary = "", asked } = {}] = (await look()).members;
  expect(asked).toMatchObject({ answers: 0, fallbacks: 0, reasons: {} });
  const since = "2026-11-23 12:00 UTC";
  const told = async () => (await vedette("rollout", "show", "1")).out;
  expect(await told()).toContain(
    `waits for ${canary}: 3 of 20 predictions served; it was asked nothing since ${since}`,
  );

  devices.counters.set(canary, {
    sources: { model: 402, rule: 160, none: 40 },
    reasons: { stale_model: 100, low_confidence: 97, latency_budget: 3 },
  });
  await devices.live(2);
  await round();
  expect((await look()).members[0]?.asked).toMatchObject({
    ...{ answers: 102, fallbacks: 100 },
    reasons: { low_confidence: 97, latency_budget: 3 },
  });
  const why = `100 of 102 answers since ${since} came from its fallback (low confidence 97, latency budget 3)`;
  expect(await told()).toContain(`waits for ${canary}: 5 of 20 predictions served; ${why}`);

  // Its agent begins anew, and counts anew.
  devices.counters.set(canary, { sources: { model: 0, rule: 9 }, reasons: { low_confidence: 9 } });
  await devices.live(0);
  await round();
  expect(await told()).toMatch(/all 9 answers since .* came from its fallback \(low confidence 9\)/);

  // Who is answered by the model is only waited for; who counts, not even that.
  devices.counters.set(canary, { sources: { model: 40, rule: 9 }, reasons: { low_confidence: 9 } });
  await devices.live(1);
  await round();
  expect(await told()).toMatch(/waits for .*: 6 of 20 predictions served\n/);
  await devices.live(20);
  await round();
  expect((await look()).members[0]).not.toHaveProperty("asked");
  expect(await told()).not.toContain("waits for gauge");
});

test("[R63] a shadow that waits for the probation of the version that answers says so", async () => {
  const { site, devices, start, round, look } = await ready();
  await devices.live(0);
  await start({ stages: [{ kind: "shadow", share: 0.25 }, ...stages] });
  await round();
  const [{ agent = "" } = {}] = (await look()).members;
  const { assignment } = await hello(site, agent, { abilities: newer });
  const [on, beside] = [one, two].map(({ digest }, i) => ({ digest, release: i + 1 }));
  if (!assignment || !on || !beside) throw new Error("nothing is assigned");
  const pair = { ...beside, state: "verified", answering: one.digest, pairs: 0, skipped: 0 };
  const candidate = { ...on, state: "probation", passed: 3, of: 20 };
  const counters = { sources: { model: 3 }, reasons: {}, served: 3, drift: [] };
  await site.fleet.reported(agent, {
    ...{ agent, rev: assignment.rev, at: 0, abilities: newer, labels: {} },
    slots: [{ model: "rain", serving: null, previous: null, candidate, beside: pair, ...counters }],
  });
  await round();
  expect((await look()).members[0]?.reason).toBe(
    "the version that answers is on probation, 3 of 20 answers: it is asked beside after that",
  );
});
