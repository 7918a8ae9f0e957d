/** What becomes of a device in a rollout, in rounds of the engine. */
import { expect, test } from "vitest";
import { canaries, fleet, minute, pretendSite, rolloutOf, states, verdictOf } from "../../../test/rollout-world.ts";
import { inOrder } from "./cohort.ts";

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
