import type { ExperimentPlan } from "@vedette/protocol/experiment";
import { expect, test } from "vitest";
import type { ArmSums } from "../../measured.ts";
import { judgeExperiment } from "./judge-experiment.ts";

const day = 86_400_000;
const plan: ExperimentPlan = {
  ...{ metric: "business:sales", better: "higher", split: "entities", share: 0.5, error: 0.05 },
  ...{ minEffect: null, until: null },
};
/** So many units, each with one value, of standard deviation 1. */
const arm = (n: number, mean: number, units = n): ArmSums => {
  const means = { n, mean, squares: n };
  return { units, crossed: 0, settled: { units, measured: n }, means, values: means };
};

test("the difference is said with its interval, and which way is better is the plan's word", () => {
  const measured = { candidate: arm(2000, 1.3), incumbent: arm(2000, 1) };
  const found = judgeExperiment(plan, measured, day);
  expect(found).toMatchObject({ says: "better", difference: { estimate: expect.closeTo(0.3) } });
  expect(found.why).toMatch(
    /^the candidate is better: sales 1\.3 against 1, a difference of 0\.3 \[0\.\d+, 0\.\d+\] of 2000 : 2000 entities$/,
  );
  expect(judgeExperiment({ ...plan, better: "lower" }, measured, day).says).toBe("worse");
});

test("undecided tells how many more units show the effect, and at the pace so far how many days", () => {
  const found = judgeExperiment(
    { ...plan, minEffect: 0.1 },
    { candidate: arm(400, 1), incumbent: arm(400, 1.02) },
    2 * day,
  );
  expect(found.says).toBe("undecided");
  expect(found.more).toMatchObject({ effect: 0.1 });
  expect(found.more?.days).toBeCloseTo(((found.more?.units ?? 0) / 800) * 2, 1);
  expect(found.why).toMatch(/an effect of 0\.1 would show after about \d+ more entities, [\d.]+ days at this pace$/);
  const sooner = judgeExperiment(
    { ...plan, minEffect: 0.1 },
    { candidate: arm(400, 1), incumbent: arm(400, 1.02) },
    day / 100,
  );
  expect(sooner.why).toMatch(/more entities, \d+ minutes at this pace$/);
  // Devices do not come as entities do.
  const devices = { ...plan, split: "devices" as const };
  expect(judgeExperiment(devices, { candidate: arm(40, 1), incumbent: arm(40, 1.1) }, day).more).toMatchObject({
    days: null,
  });
});

test("no difference as large as the least that matters is an answer, too", () => {
  const measured = { candidate: arm(20_000, 1), incumbent: arm(20_000, 1.001) };
  expect(judgeExperiment({ ...plan, minEffect: 0.1 }, measured, day).says).toBe("same");
  expect(judgeExperiment(plan, measured, day).says).toBe("undecided");
});

test("few units are no result, and a fleet of few devices is told what to do", () => {
  const few = { candidate: arm(2, 1), incumbent: arm(1, 1) };
  expect(judgeExperiment(plan, few, day)).toMatchObject({ says: "too_few", difference: null });
  expect(judgeExperiment({ ...plan, split: "devices" }, few, day).why).toContain("compared by entities");
});

test("[C8] where the split is not what was planned nothing is compared, and it is said where to look", () => {
  const lost = judgeExperiment(plan, { candidate: arm(812, 2), incumbent: arm(1107, 1) }, day);
  expect(lost).toMatchObject({ says: "withheld", difference: null, more: null, candidate: { units: 812, mean: null } });
  expect(lost.why).toContain(
    "812 : 1107 (candidate : incumbent) units where 50 : 50 was planned. Do not believe any comparison of them",
  );
  // All took part, but values are told of one arm only.
  const silent = judgeExperiment(plan, { candidate: arm(500, 2, 1000), incumbent: arm(1000, 1) }, day);
  expect(silent).toMatchObject({ says: "withheld", difference: null });
  expect(silent.why).toContain("500 : 1000 (candidate : incumbent) units with values of sales");
  // As planned, it is not.
  expect(
    judgeExperiment({ ...plan, share: 1 / 3 }, { candidate: arm(500, 2), incumbent: arm(1000, 1) }, day).says,
  ).toBe("better");
});
