/** What a rollout's history tells, and how much of it. */
import { expect, test } from "vitest";
import { device, minute, verdictOf } from "../../../test/rollout-world.ts";
import { changesOf, type Told } from "./history.ts";
import type { DeviceFacts, World } from "./world.ts";

const facts = (agent: string, served: number): DeviceFacts => {
  const { nature: _, ...rest } = device(agent, { progress: { kind: "answering", served } });
  return { ...rest, incumbent: "a".repeat(64), takenBy: null };
};
const worldOf = (devices: readonly DeviceFacts[], n: number): World => ({
  ...{ devices, assignable: "yes", gate: { passed: true, why: "" }, blockedBy: null },
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
