/** Whom the limits let be taken, in rounds of the engine. */
import { expect, test } from "vitest";
import { canaries, fleet, minute, pretendSite, rolloutOf, states, verdictOf } from "../../../test/rollout-world.ts";
import { joinedInLast } from "../analysis/last-stage.ts";
import { cameInTime } from "../in-time.ts";
import { isWaitedFor } from "./judge-devices.ts";

test("[R64] where the policy does not say, a tenth of the devices is under way at once, and a hundred at least", () => {
  for (const [many, most] of [
    [90, 90],
    [400, 100],
    [2_000, 200],
    [3_019, 301],
  ] as const) {
    const site = pretendSite(rolloutOf({ stages: canaries(1) }), fleet(many));
    site.round();
    site.round();
    expect(states(site)).toEqual({ updating: most, ...(many > most && { waiting: many - most }) });
    if (many > most) {
      const reasons = new Set([...site.rollout.members.values()].map(({ reason }) => reason));
      expect([...reasons]).toContain(`as many as may be under way at once are (${most})`);
    }
  }
});

test("[R32] who is away is told apart and holds up nothing; back, it is taken within the limits", () => {
  const site = pretendSite(rolloutOf({ stages: canaries(1), inFlight: 1 }), fleet(3));
  site.of("d0").online = false;
  site.round();
  expect(states(site)).toEqual({ offline: 1, updating: 1, waiting: 1 });
  for (let i = 0; i < 2; i++) {
    site.live(20);
    site.round();
  }
  expect(states(site)).toEqual({ offline: 1, counted: 2 });
  site.of("d0").online = true;
  site.round();
  expect(site.member("d0")?.state).toBe("updating");
  // It goes before it followed: what it was given is taken back.
  site.of("d0").online = false;
  site.round();
  expect([site.member("d0")?.state, site.of("d0").holds]).toEqual(["offline", null]);
  site.verdict = verdictOf("promote");
  site.round();
  expect(site.rollout.state).toBe("promoted");
});

test("[R67] who was away for longer than its time is under way like any other when it is taken again: the limit holds", () => {
  const site = pretendSite(rolloutOf({ stages: canaries(1), inFlight: 2, timeoutMinutes: 60 }), fleet(8));
  const there = (on: boolean) => {
    for (const one of site.devices) one.online = on;
  };
  const given = () => site.devices.filter(({ holds }) => holds !== null).length;
  // On Friday each of them is taken and goes home before it said a word; on Monday all are there at once.
  for (let i = 0; i < 8; i++) {
    there(true);
    site.round();
    there(false);
    site.round();
  }
  site.now += 3 * 24 * 60 * minute;
  there(true);
  for (let i = 0; i < 5; i++) {
    site.round();
    expect(given()).toBeLessThanOrEqual(2);
    site.live(0);
  }
  expect(states(site)).toMatchObject({ updating: 2 });
});

test("[R67] [J6] whose time began once more joined when it did, and no stage that had begun waits for it", () => {
  const policy = { stages: canaries(0.5, 1), timeoutMinutes: 60 };
  const site = pretendSite(rolloutOf(policy), fleet(4));
  site.round();
  const former = [...site.rollout.members.values()][0];
  if (!former) throw new Error("the first stage has nobody");
  const { agent, joinedAt } = former;
  // It had been taken, and is away while the others of its stage come to count.
  site.of(agent).online = false;
  for (let i = 0; i < 3; i++) {
    site.live(20);
    site.round();
  }
  site.now += minute;
  site.verdict = verdictOf("promote");
  for (let i = 0; i < 2 && site.rollout.stage === 0; i++) site.round();
  site.verdict = verdictOf("undecided");
  site.round();
  expect([site.rollout.stage, site.rollout.stageSince]).toEqual([1, site.now]);
  site.now += 2 * 60 * minute;
  site.of(agent).online = true;
  site.round();
  const again = site.rollout.members.get(agent);
  expect(again).toMatchObject({ state: "updating", joinedAt, retakenAt: site.now, takenAt: site.now });
  if (again)
    expect([cameInTime(site.rollout, again), isWaitedFor(site.rollout, again, site.now)]).toEqual([false, false]);
  expect(joinedInLast(site.rollout, agent)).toBe(false);
});
