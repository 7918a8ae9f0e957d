import { describe, expect, test } from "vitest";
import { candidate, device, minute, pretendSite, rolloutOf, verdictOf } from "../../../test/rollout-world.ts";
import { advance } from "./advance.ts";
import { inOrder } from "./cohort.ts";

const fleet = (n: number, over = {}) => Array.from({ length: n }, (_, i) => device(`d${i}`, over));
const canaries = (...shares: number[]) => shares.map((share) => ({ kind: "canary" as const, share }));
const states = (site: ReturnType<typeof pretendSite>) => {
  const counts: Record<string, number> = {};
  for (const { state } of site.rollout.members.values()) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
};

describe("the engine", () => {
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

  test("[A16] a device without memory for both is no fault: it is left out of a shadow stage, another stands in, and it is a canary later", () => {
    const stages = [{ kind: "shadow" as const, share: 0.5 }, ...canaries(1)];
    const site = pretendSite(rolloutOf({ stages }), fleet(4));
    const [first = "", second = ""] = inOrder(site.rollout.salt, ["d0", "d1", "d2", "d3"]);
    site.of(first).nature = "lacks memory";
    site.round();
    site.live(20);
    site.round();
    expect(site.member(first)).toMatchObject({ state: "left_out", reason: "lacks memory for both", given: "shadow" });
    expect(states(site)).toEqual({ left_out: 1, counted: 1, updating: 1 });
    expect(site.member(second)?.state).toBe("counted");
    // Once there is room it takes part.
    site.of(first).nature = "good";
    site.live(20);
    site.round();
    expect(states(site)).toEqual({ counted: 3 });
    site.of(first).nature = "lacks memory";
    site.live(20);
    site.verdict = verdictOf("promote");
    site.round();
    site.live(20);
    site.round();
    expect(site.rollout.state).toBe("promoted");
  });

  test("[R31] a device that counted and serves another version is opened again, and counts as failing meanwhile", () => {
    const site = pretendSite(rolloutOf({ stages: canaries(1), failures: { share: 0.5, atLeast: 1 } }), fleet(4));
    site.round();
    site.live(20);
    site.round();
    site.of("d1").progress = { kind: "nothing" };
    site.verdict = verdictOf("promote");
    site.round();
    expect([site.rollout.state, site.member("d1")?.state]).toEqual(["running", "reverted"]);
    site.live(20);
    site.round();
    expect(site.rollout.state).toBe("promoted");
    // A counter that a crash set back is no reversion.
    const crashed = pretendSite(rolloutOf({ stages: canaries(1) }), fleet(2));
    crashed.round();
    crashed.live(20);
    crashed.round();
    crashed.of("d0").progress = { kind: "answering", served: 0 };
    crashed.round();
    expect(crashed.member("d0")?.state).toBe("counted");
  });

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

  test("[R32] the next one of the order stands in for a canary that is switched off", () => {
    const site = pretendSite(rolloutOf({ stages: canaries(0.1, 1) }), fleet(10));
    const order = inOrder(
      site.rollout.salt,
      site.devices.map(({ agent }) => agent),
    );
    site.of(order[0] ?? "").online = false;
    site.round();
    expect([...site.rollout.members.values()].map(({ agent, state }) => [agent, state])).toEqual([
      [order[0], "offline"],
      [order[1], "updating"],
    ]);
    site.live(20);
    site.verdict = verdictOf("promote");
    site.round();
    expect(site.rollout.stage).toBe(1);
  });

  test("[R51] where devices come and go all the time, no more than twice the stage's share ever have the version", {
    timeout: 60_000,
  }, () => {
    const site = pretendSite(rolloutOf({ stages: canaries(0.05, 1), served: 1_000 }), fleet(200, { online: false }));
    const had = new Set<string>();
    // Pages: each is open for two rounds of forty, and says that it follows.
    for (let i = 0; i < 400; i++) {
      for (const [d, one] of site.devices.entries()) one.online = (d + i) % 40 < 2;
      site.round();
      site.live(1);
      for (const one of site.devices) if (one.holds !== null) had.add(one.agent);
      site.now += 10_000;
    }
    expect([site.rollout.stage, had.size > 10, had.size <= 20]).toEqual([0, true, true]);
    // Those who have it count when they come back often enough.
    site.verdict = verdictOf("promote");
    for (let i = 0; i < 4; i++) {
      for (const one of site.devices) one.online = true;
      site.live(1_000);
      site.round();
    }
    expect(site.rollout.stage).toBe(1);
  });

  test("[R57] pages that are open for moments, too short to follow, do not hold up a stage for longer than its time", () => {
    const site = pretendSite(rolloutOf({ stages: canaries(1), timeoutMinutes: 60 }), fleet(10));
    site.verdict = verdictOf("promote");
    const steady = (agent: string) => agent < "d5";
    site.round();
    for (let i = 0; site.rollout.state === "running" && i < 400; i++) {
      // At any time some of the others are there, and gone before they said anything.
      for (const one of site.devices) if (!steady(one.agent)) one.online = (Number(one.agent.slice(1)) + i) % 5 < 2;
      site.live(20, ({ agent }) => steady(agent));
      site.round();
      site.now += minute;
    }
    expect(site.rollout).toMatchObject({ state: "promoted" });
    expect(site.now - Date.UTC(2026, 0, 5)).toBeLessThanOrEqual(70 * minute);
    expect(states(site).counted).toBe(5);
  });

  test("[R33] one that does not count in time is timed out, and counts when it does after all", () => {
    const site = pretendSite(rolloutOf({ stages: canaries(1), timeoutMinutes: 60 }), fleet(2));
    site.of("d1").nature = "stalls";
    site.round();
    site.live(20);
    site.now += 60 * minute;
    site.round();
    expect([site.member("d0")?.state, site.member("d1")?.state]).toEqual(["counted", "timed_out"]);
    site.of("d1").nature = "good";
    site.live(20);
    site.round();
    expect(site.member("d1")?.state).toBe("counted");
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

  test("[R34] failed devices are tried again only when an operator says so, by a revision of their own", () => {
    const site = pretendSite(rolloutOf({ stages: canaries(1), failures: { share: 1, atLeast: 9 } }), fleet(3));
    site.of("d2").nature = "rejects";
    site.round();
    site.live(20);
    site.round();
    expect([site.member("d2")?.state, site.of("d2").holds]).toEqual(["failed", null]);
    const { rev } = site.of("d2");
    site.live(20);
    site.round();
    expect(site.member("d2")?.state).toBe("failed");
    site.act("retry");
    site.round();
    expect([site.member("d2")?.state, site.of("d2").holds, site.of("d2").rev]).toEqual(["updating", "canary", rev + 1]);
    site.of("d2").nature = "good";
    site.live(20);
    site.round();
    expect(site.member("d2")?.state).toBe("counted");
  });

  test("[R34] retried before what it was given is taken back, it waits for a revision of its own", () => {
    const site = pretendSite(rolloutOf({ stages: canaries(1), failures: { share: 1, atLeast: 9 } }), fleet(1));
    site.of("d0").nature = "rejects";
    site.round();
    site.live(20);
    // The control plane dies twice before the director hears of it.
    site.dies = true;
    site.round();
    site.dies = true;
    site.act("retry");
    expect([site.member("d0")?.state, site.of("d0").holds]).toEqual(["waiting", "canary"]);
    site.dies = false;
    site.round();
    expect([site.member("d0")?.state, site.of("d0").holds]).toEqual(["waiting", null]);
    site.round();
    expect([site.member("d0")?.state, site.of("d0").holds]).toEqual(["updating", "canary"]);
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

  test("devices without the means are left out; one that loses them is given nothing more", () => {
    const site = pretendSite(rolloutOf({ stages: canaries(1) }), fleet(3));
    site.of("d0").lacks = "d0 lacks opset 21";
    site.round();
    expect(site.member("d0")).toBeUndefined();
    site.of("d1").lacks = "d1 lacks memory";
    site.round();
    expect([site.member("d1")?.state, site.of("d1").holds]).toEqual(["left_out", null]);
    site.devices.splice(2, 1);
    site.round();
    expect(site.member("d2")?.state).toBe("left_out");
  });

  test("a device over its data budget waits, and is timed out rather than holding up all others", () => {
    const site = pretendSite(rolloutOf({ stages: canaries(1), timeoutMinutes: 60 }), fleet(2));
    site.of("d0").overBudget = true;
    site.round();
    expect(site.member("d0")).toMatchObject({ state: "waiting", reason: "it is over its data budget" });
    site.live(20);
    site.now += 60 * minute;
    site.round();
    expect(states(site)).toEqual({ timed_out: 1, counted: 1 });
    site.of("d0").overBudget = false;
    site.round();
    expect(site.member("d0")?.state).toBe("updating");
  });

  test("who joins after its stage began is taken, judged, and not waited for", () => {
    const site = pretendSite(rolloutOf({ stages: canaries(1) }), fleet(2));
    site.round();
    site.live(20);
    site.now += minute;
    site.devices.push(device("late"));
    site.round();
    expect(site.member("late")?.state).toBe("updating");
    site.verdict = verdictOf("promote");
    site.round();
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
});
