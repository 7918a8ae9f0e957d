/** What a rollout's history tells, and how much of it. */
import { expect, test } from "vitest";
import { device, minute, rolloutOf, verdictOf } from "../../../test/rollout-world.ts";
import { type Changes, changesOf, type Told } from "./history.ts";
import { replay } from "./replay.ts";
import type { DeviceFacts, World } from "./world.ts";

const facts = (agent: string, served: number): DeviceFacts => {
  const { nature: _, ...rest } = device(agent, { progress: { kind: "answering", served } });
  return { ...rest, incumbent: "a".repeat(64), takenBy: null };
};
const worldOf = (devices: readonly DeviceFacts[], n: number): World => ({
  ...{ devices, assignable: "yes", gate: { passed: true, why: "" }, blockedBy: null, wall: n },
  verdict: verdictOf("undecided", { why: `${n} pairs` }),
});

/** How many steps a rollout's history has in which only counters grow, looked at every ten seconds. */
function stepsOf(days: number): number {
  let told: Told | undefined;
  let steps = 0;
  for (let now = 0; now < days * 1440 * minute; now += 10_000) {
    const devices = [facts("d1", now)];
    const { changes, told: next } = changesOf(told, worldOf(devices, now), devices, { now, began: 0 });
    if (changes) steps++;
    told = next;
  }
  return steps;
}

test("[A19] counters are told once a minute at first, and a history grows by the logarithm of its age", () => {
  expect(stepsOf(0.25)).toBe(360);
  const [week, month] = [stepsOf(7), stepsOf(28)];
  expect(week).toBeLessThan(2200);
  // Four times the age is about 500 · ln 4 steps more.
  expect(month - week).toBeGreaterThan(600);
  expect(month - week).toBeLessThan(750);
});

test("[A19] what is no growing of a counter is told at once, however old the rollout", () => {
  const began = 0;
  const now = 30 * 1440 * minute;
  const before = [facts("d1", 5)];
  const { told } = changesOf(undefined, worldOf(before, 1), before, { now, began });
  const away = [{ ...facts("d1", 5), online: false }];
  expect(changesOf(told, worldOf(away, 1), away, { now: now + 1, began }).changes).toMatchObject({ devices: away });
  const grown = [facts("d1", 6)];
  expect(changesOf(told, worldOf(grown, 2), grown, { now: now + 10 * minute, began }).changes).toBeUndefined();
  expect(changesOf(told, worldOf(grown, 2), grown, { now: now + 90 * minute, began }).changes).toBeDefined();
});

test("[R27] a device that went while the control plane was away is gone in the replay, too", async () => {
  const idle = (agent: string): DeviceFacts => ({ ...facts(agent, 0), progress: { kind: "nothing" } });
  const step = (at: number, devices: readonly DeviceFacts[]) => {
    // What was told before is forgotten by a restart.
    const { changes } = changesOf(undefined, worldOf(devices, 0), devices, { now: at, began: 0 });
    return { at, changes: changes as Changes };
  };
  const steps = [step(0, [idle("d1"), idle("d2")]), step(minute, [idle("d1")])];
  const rollout = rolloutOf({ stages: [{ kind: "canary", share: 1 }] });
  const judge = () => Promise.reject(new Error("not asked in this test"));
  const { members } = (await replay(rollout, rollout.policy, steps, judge)).rollout;
  expect([...members.values()].map(({ agent, state }) => [agent, state])).toEqual(
    expect.arrayContaining([
      ["d1", "updating"],
      ["d2", "left_out"],
    ]),
  );
});
