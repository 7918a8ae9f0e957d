/** What people are told of a rollout: by commands, alerts, and of a device that keeps it waiting. */
import { copyFile, mkdtemp, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { expect, onTestFinished, test, vi } from "vitest";
import { vedetteOf } from "../../test/commands.ts";
import { names, newer, one, two } from "../../test/rollout-site.ts";
import { hello } from "../../test/site.ts";
import { stages, steeredSite } from "../../test/steered-site.ts";

test("a device that failed stands first where a rollout's devices are shown", async () => {
  const { site, devices, start, round } = await steeredSite();
  await devices.live(5);
  devices.rejecting.add("gauge-4");
  await start({ stages: [{ kind: "canary", share: 1 }], failures: { share: 1, atLeast: 4 } });
  await devices.live(20);
  await round();
  const { out } = await vedetteOf(site, site.home, { now: () => site.clock.now() })("rollout", "show", "1");
  expect(out).toMatch(/^DEVICE.*\ngauge-4 +canary +failed/m);
});

test("the command starts, lists, shows, watches, acts and replays", async () => {
  const { site, devices, start, round, say } = await steeredSite();
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
  expect((await vedette("rollout", "show", "1")).out).toMatch(/^Next: vedette rollout resume 1, or .* abort 1 /m);
  expect((await vedette("production")).out).toMatch(
    /paused, stage 1 of 2\n {2}lunch\n {2}vedette rollout resume 1, or /,
  );
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
  const { site, devices, start, round, look } = await steeredSite();
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
  const { site, devices, start, round } = await steeredSite();
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
  const { site, devices, start, round, look } = await steeredSite();
  const vedette = vedetteOf(site, site.home);
  for (const name of names)
    devices.counters.set(name, { sources: { model: 400, rule: 100 }, reasons: { stale_model: 100 } });
  await devices.live(5);
  await start();
  // What it counted before it had the version says nothing.
  await devices.live(3);
  await round();
  // Its counters come once a minute.
  expect((await look()).members[0]).not.toHaveProperty("asked");
  site.clock.advance(120_000);
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
  const { site, devices, start, round, look } = await steeredSite();
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
