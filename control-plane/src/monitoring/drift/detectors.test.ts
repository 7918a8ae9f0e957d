import { expect, test } from "vitest";
import type { DriftBankFacts } from "../../db/drift.ts";
import { evidenceOf } from "./detectors.ts";

test("[Z48] a round of fewer rows than a window counts for its part, so that `arl` stays one of predictions", () => {
  const facts = (steps: number, rows: number) => ({ logE: 9, steps, rows }) as DriftBankFacts;
  // Twelve readings an hour, of windows of 256: a detector that grows by one a round is 21 times too quick.
  expect(evidenceOf(facts(100, 1200), 256)).toBeCloseTo(9 - Math.log(256 / 12), 12);
  // Full windows, and rounds of many windows, are as they are.
  expect([evidenceOf(facts(100, 25_600), 256), evidenceOf(facts(100, 1e6), 256), evidenceOf(facts(0, 0), 256)]).toEqual(
    [9, 9, 9],
  );
});
