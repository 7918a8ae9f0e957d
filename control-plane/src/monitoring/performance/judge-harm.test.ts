import { expect, test } from "vitest";
import { noRisk, observeLoss } from "../../statistics/risk-sequence.ts";
import { summaryInterval } from "../../statistics/summary-interval.ts";
import { judgeHarm } from "./judge-harm.ts";

/** `wrong` of each `of` predictions. */
function risk(n: number, wrong: number, of: number) {
  let state = noRisk;
  for (let i = 0; i < n; i++) state = observeLoss(state, (i * 37) % of < wrong ? 1 : 0);
  return state;
}

test("[U4] New York's gauge is harmful, the same risk in plenty is benign, and little evidence is unknown", () => {
  const before = summaryInterval(912, 0.2, 0.05);
  const newYork = judgeHarm(risk(550, 44, 100), before, 0.05, 0.05);
  expect(newYork).toMatchObject({ verdict: "harmful", moreLabels: null });
  expect(newYork.difference?.low).toBeGreaterThan(0.05);
  expect(newYork.difference?.estimate).toBeCloseTo(0.24, 1);
  const wellKnown = summaryInterval(100_000, 0.2, 0.05);
  expect(judgeHarm(risk(20_000, 20, 100), wellKnown, 0.05, 0.05).verdict).toBe("benign");
  // Better than before is benign long before it is exact.
  expect(judgeHarm(risk(200, 1, 100), before, 0.05, 0.05).verdict).toBe("benign");
  const few = judgeHarm(risk(40, 44, 100), before, 0.05, 0.05);
  expect(few.verdict).toBe("unknown");
  expect(few.moreLabels).toBeGreaterThan(50);
  expect(judgeHarm(noRisk, before, 0.05, 0.05).verdict).toBe("unknown");
  expect(judgeHarm(risk(40, 1, 100), null, 0.05, 0.05)).toEqual({
    verdict: "unknown",
    difference: null,
    moreLabels: null,
  });
});
