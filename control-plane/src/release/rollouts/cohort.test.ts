/** Who stands in and who comes later, in rounds of the engine. */
import { expect, test } from "vitest";
import { canaries, device, fleet, minute, pretendSite, rolloutOf, verdictOf } from "../../../test/rollout-world.ts";
import { inOrder } from "./cohort.ts";

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
