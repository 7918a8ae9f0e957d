import { expect, test } from "vitest";
import { names, newer, one, two } from "../../test/rollout-site.ts";
import { enroll, hello } from "../../test/site.ts";
import { running, stages, steeredSite } from "../../test/steered-site.ts";

const refused = (code: string) => ({ body: { error: { code } } });

test("[R19] a rollout goes from one device to all, and its promotion is the new standing rule, written with it", async () => {
  const { site, devices, start, round, look, say } = await steeredSite();
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
  const { site, devices, start, round, look } = await steeredSite();
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

test("[R36] a control plane that is restarted goes on where it was", async () => {
  const first = await steeredSite();
  await first.devices.live(5);
  await first.start();
  await first.devices.live(20);
  await first.site.close();
  const { site, devices, round, look, say } = await steeredSite({}, { home: first.site.home, clock: first.site.clock });
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
  const { site, devices, start, round, look } = await steeredSite();
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
  const { devices, start } = await steeredSite({
    gate: async () => ({ passed: false, why: "accuracy .61 against .80" }),
  });
  await devices.live(5);
  expect(await start()).toMatchObject({
    status: 409,
    body: { error: { message: expect.stringMatching(/accuracy \.61 .*vedette gate show --model/) } },
  });
  const passing = await steeredSite();
  expect(await passing.start()).toMatchObject({ status: 200 });
  const other = await steeredSite();
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
  const { site, devices, start } = await steeredSite();
  await devices.live(5);
  await start({ stages: [{ kind: "shadow", share: 1, sample: 0.5 }, ...stages] });
  const slot = (await hello(site, "gauge-1", { abilities: newer })).assignment?.slots[0];
  expect(slot).toMatchObject({ digest: one.digest, beside: { digest: two.digest, release: 2, sample: 0.5 } });
  await site.call("POST", "/v1/rollouts/1/abort", {});
  await start({ stages: [{ kind: "canary", share: 1 }] });
  const canary = (await hello(site, "gauge-1", { abilities: newer })).assignment?.slots[0];
  expect(canary).toMatchObject({ digest: two.digest, beside: { digest: one.digest, release: 1, sample: 1 } });
});

test("[R27] another policy is run over what happened, and says what it would have done, when", async () => {
  const { site, devices, start, round, look, say } = await steeredSite();
  await devices.live(5);
  await start({ undecided: { afterMinutes: 60, end: "pause" } });
  await devices.live(20);
  await round();
  for (let minutes = 0; minutes < 20; minutes += 4) {
    site.clock.advance(4 * 60_000);
    await devices.live(20);
    await round();
  }
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
