import { expect, test } from "vitest";
import {
  canaries,
  candidate,
  fleet,
  minute,
  pretendSite,
  rolloutOf,
  states,
  verdictOf,
} from "../../../test/rollout-world.ts";
import { advance } from "./advance.ts";

test("[R29] a good version goes through its stages, each once its devices count and the verdict is promote", () => {
  const site = pretendSite(rolloutOf({ stages: canaries(0.1, 0.5, 1), served: 20 }), fleet(10));
  site.round();
  expect(states(site)).toEqual({ updating: 1 });
  site.live(20);
  site.round();
  // Counted, and not judged yet.
  expect([site.rollout.stage, states(site)]).toEqual([0, { counted: 1 }]);
  site.verdict = verdictOf("promote");
  site.round();
  expect([site.rollout.stage, states(site)]).toEqual([1, { counted: 1, updating: 4 }]);
  site.live(19);
  site.round();
  // One prediction too few.
  expect(site.rollout.stage).toBe(1);
  site.live(1);
  site.round();
  site.live(20);
  site.round();
  expect(site.rollout).toMatchObject({ state: "promoted", endedAt: site.now });
  expect(site.decisions.map(({ action }) => action)).toEqual([
    "rollout.begin_stage",
    "rollout.take",
    "rollout.pass_stage",
    "rollout.begin_stage",
    "rollout.take",
    "rollout.pass_stage",
    "rollout.begin_stage",
    "rollout.take",
    "rollout.promote",
  ]);
});

test("[R83] a stage that passes with fewer than half of the devices that were there says so, and passes", () => {
  const passed = (...stalling: number[]) => {
    const site = pretendSite(rolloutOf({ stages: canaries(1), timeoutMinutes: 60 }), fleet(6));
    site.verdict = verdictOf("promote");
    site.of("d5").online = false;
    for (const i of stalling) site.of(`d${i}`).nature = "stalls";
    site.round();
    site.live(20);
    site.now += 60 * minute;
    site.round();
    expect(site.rollout.state).toBe("promoted");
    return site.rollout.why;
  };
  expect(passed(1, 2, 3, 4)).toMatch(
    /; 1 of 6 devices count, fewer than half of the 5 that were there \(4 timed out\); none of the/,
  );
  expect(passed(1, 2)).toMatch(/; 3 of 6 devices count; none of the/);
});

test("[R30] a verdict of rollback ends it, and so do more failures than the policy lets pass; then nothing is given", () => {
  const site = pretendSite(rolloutOf({ stages: canaries(0.5, 1) }), fleet(10));
  site.round();
  site.live(1);
  site.verdict = verdictOf("rollback");
  site.round();
  expect(site.rollout.state).toBe("rolled_back");
  expect(site.devices.filter(({ holds }) => holds !== null)).toEqual([]);

  const other = pretendSite(rolloutOf({ stages: canaries(1) }), fleet(10));
  for (const i of [0, 1]) other.of(`d${i}`).nature = "rejects";
  other.round();
  other.live(20);
  other.round();
  // Two of ten are not more than a fifth.
  expect([other.rollout.state, states(other)]).toEqual(["running", { counted: 8, failed: 2 }]);
  other.of("d5").progress = { kind: "rejected", why: "crash_loop" };
  other.round();
  expect(other.rollout).toMatchObject({ state: "rolled_back", why: expect.stringContaining("3 of the 10") });
});

test("[R30] a share of 0 lets none pass, or as many as `atLeast` is above", () => {
  for (const atLeast of [1, 2]) {
    const site = pretendSite(rolloutOf({ stages: canaries(1), failures: { share: 0, atLeast } }), fleet(10));
    site.of("d1").nature = "rejects";
    site.round();
    site.live(1);
    site.round();
    expect(site.rollout.state).toBe(atLeast === 1 ? "rolled_back" : "running");
  }
});

test("a stage in which nobody counts and nobody is under way tells in which states they are", () => {
  const site = pretendSite(rolloutOf({ stages: canaries(1), timeoutMinutes: 1 }), fleet(2));
  for (const one of site.devices) one.nature = "stalls";
  site.round();
  site.live(20);
  site.now += minute;
  site.round();
  expect(site.member("d0")?.reason).toMatch(/^not after 1 minute: /);
  site.round();
  expect(site.rollout.why).toContain("no device of this stage counts, and none is under way (2 timed out)");
});

test("[R7] a stage that asks for it begins only when it was approved", () => {
  const stages = [
    { kind: "canary" as const, share: 0.5 },
    { kind: "canary" as const, share: 1, approval: true },
  ];
  const site = pretendSite(rolloutOf({ stages }), fleet(4));
  site.round();
  expect(() => site.act("approve")).toThrow("nothing to approve");
  site.live(20);
  site.verdict = verdictOf("promote");
  site.round();
  expect([site.rollout.state, site.rollout.stage, states(site)]).toEqual(["waiting_for_approval", 1, { counted: 2 }]);
  site.act("approve");
  site.round();
  expect([site.rollout.state, states(site)]).toEqual(["running", { counted: 2, updating: 2 }]);
});

test("[R8] paused, nobody new is taken and no stage ends; what is bad is taken back all the same", () => {
  const site = pretendSite(rolloutOf({ stages: canaries(0.5, 1), inFlight: 1 }), fleet(4));
  site.round();
  site.act("pause");
  site.verdict = verdictOf("promote");
  site.live(20);
  site.round();
  expect([site.rollout.state, states(site)]).toEqual(["paused", { counted: 1, waiting: 1 }]);
  site.act("resume");
  site.round();
  expect(states(site)).toEqual({ counted: 1, updating: 1 });
  site.act("pause");
  site.verdict = verdictOf("rollback");
  site.round();
  expect(site.rollout.state).toBe("rolled_back");
});

test("[R9] it begins when it may: after its time, and after the rollout before it", () => {
  const startAt = "2026-01-05T01:00:00Z";
  const site = pretendSite(rolloutOf({ stages: canaries(1), startAt }, { state: "queued" }), fleet(2));
  site.blockedBy = 7;
  site.round();
  expect([site.rollout.state, site.rollout.why]).toEqual(["queued", expect.stringContaining("rollout 7")]);
  site.blockedBy = null;
  site.round();
  expect(site.rollout.state).toBe("scheduled");
  site.now = Date.parse(startAt);
  site.round();
  expect([site.rollout.state, states(site)]).toEqual(["running", { updating: 2 }]);
});

test("[R10] what is revoked, or that the gate does not let pass any more, is aborted", () => {
  const site = pretendSite(rolloutOf({ stages: canaries(1) }), fleet(2));
  site.round();
  site.assignable = "revoked";
  site.round();
  expect([site.rollout.state, site.rollout.why]).toEqual(["aborted", "rain version 2 is revoked"]);
  const gated = pretendSite(rolloutOf({ stages: canaries(1) }), fleet(2));
  gated.gate = { passed: false, why: "the override ran out" };
  gated.round();
  expect([gated.rollout.state, gated.rollout.members.size]).toEqual(["aborted", 0]);
});

test("[R11] an undecided stage ends as the policy says; without evidence of what is required it is never promoted", () => {
  const undecided = (end: "rollback" | "promote" | "pause") => ({ undecided: { afterMinutes: 30, end } });
  const ended = (end: "rollback" | "promote" | "pause", verdict = verdictOf("undecided")) => {
    const site = pretendSite(rolloutOf({ stages: canaries(1), ...undecided(end) }), fleet(2));
    site.verdict = verdict;
    site.round();
    site.live(20);
    site.now += 29 * minute;
    site.round();
    expect(site.rollout.state).toBe("running");
    site.now += minute;
    site.round();
    return site.rollout.state;
  };
  expect([ended("rollback"), ended("promote"), ended("pause")]).toEqual(["rolled_back", "promoted", "paused"]);
  const finding = { ...(verdictOf("undecided").findings[0] as object), says: "no_evidence" } as never;
  expect(ended("promote", verdictOf("undecided", { findings: [finding] }))).toBe("paused");
});

test("[R12] shadows are asked beside, and the first of them answer in the canary stages", () => {
  const stages = [{ kind: "shadow" as const, share: 0.4 }, ...canaries(0.2, 1)];
  const site = pretendSite(rolloutOf({ stages }), fleet(10));
  site.of("d3").shadows = false;
  site.round();
  expect(site.devices.filter(({ holds }) => holds === "shadow")).toHaveLength(4);
  expect(site.of("d3").holds).toBeNull();
  site.live(20);
  site.verdict = verdictOf("promote");
  site.round();
  const held = site.devices.map(({ holds }) => holds);
  expect([held.filter((kind) => kind === "canary").length, held.filter((kind) => kind === "shadow").length]).toEqual([
    2, 2,
  ]);
  for (let i = 0; i < 3; i++) {
    site.live(20);
    site.round();
  }
  expect(site.rollout.state).toBe("promoted");
});

test("the same world a second time changes nothing", () => {
  const site = pretendSite(rolloutOf({ stages: canaries(0.5, 1), inFlight: 1 }), fleet(4));
  site.round();
  site.round();
  const before = site.rollout;
  expect(advance(before, site.world(), site.now)).toEqual({ rollout: before, decisions: [] });
  expect(advance(before, site.world(), site.now).rollout).toBe(before);
  expect(before.digest).toBe(candidate);
});
