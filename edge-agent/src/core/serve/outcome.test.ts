import { expect, test } from "vitest";
import { isOfRun, outcomeOf } from "./outcome.ts";
import { rainManifest } from "./test/rig.ts";

const jobs = [{ n: 2 }, { n: 40 }];
const seen = { nan: 0, unsure: 0, failure: "no wind like 7", manifest: rainManifest() };

test("outputs in time tell of all rows, and of those that were no numbers or unsure", () => {
  const outcome = outcomeOf(jobs, Array(42).fill(null), { ...seen, nan: 1, unsure: 3 }, 32);
  expect(outcome).toEqual({ n: 42, failed: 0, nan: 1, overBudget: 0, unsure: 3 });
});

test("late rows tell of the model only where one run takes the whole request", () => {
  expect(outcomeOf(jobs, "latency_budget", seen, 32)).toMatchObject({ n: 2, failed: 0, overBudget: 2 });
  expect(outcomeOf(jobs, "exception", seen, 32)).toMatchObject({ n: 42, failed: 42, overBudget: 0 });
});

test("what the runtime said is told only where all inputs may leave the device", () => {
  expect(outcomeOf(jobs, "exception", seen, 32).why).toBe("no wind like 7");
  expect(outcomeOf(jobs, "exception", { ...seen, failure: null }, 32)).not.toHaveProperty("why");
  const manifest = rainManifest({ log: { inputs: "none" } });
  expect(outcomeOf(jobs, "exception", { ...seen, manifest }, 32)).not.toHaveProperty("why");
});

test("what the ladder answered without the model is no outcome of a run", () => {
  expect([[], "exception", "latency_budget"].map((result) => isOfRun(result as "exception"))).toEqual([
    true,
    true,
    true,
  ]);
  expect((["no_model", "stale_model", "drift_critical"] as const).map(isOfRun)).toEqual([false, false, false]);
});
