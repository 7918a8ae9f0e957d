import { expect, test } from "vitest";
import { type MeanState, meanInterval, noMean, observeValue } from "./mean-sequence.ts";

const over = (values: readonly number[]): MeanState => values.reduce(observeValue, noMean);

test("[U3] mean and spread in one pass are those of two passes, also far from zero", () => {
  const values = Array.from({ length: 1000 }, (_, i) => 1e9 + ((i * 7919) % 101));
  const mean = values.reduce((sum, value) => sum + value, 0) / values.length;
  const squares = values.reduce((sum, value) => sum + (value - mean) ** 2, 0);
  const state = over(values);
  expect(state.mean).toBeCloseTo(mean, 5);
  expect(state.squares / squares).toBeCloseTo(1, 9);
});

test("[U3] the interval is the closed form, and none is told of few values", () => {
  // mean 0, σ 1, n 100, α .05: ρ² = (−2 ln .05 + ln(−2 ln .05) + 1)/200 = .0439085…
  const state = over(Array.from({ length: 100 }, (_, i) => (i % 2 === 0 ? 1 : -1)));
  const rho2 = (5.991_464_547 + 1.790_335_9 + 1) / 200;
  const margin = Math.sqrt(((2 * (100 * rho2 + 1)) / (1e4 * rho2)) * Math.log(Math.sqrt(100 * rho2 + 1) / 0.05));
  expect(meanInterval(state, 0.05)?.high).toBeCloseTo(margin, 6);
  expect(meanInterval(state, 0.05)?.low).toBeCloseTo(-margin, 6);
  expect(margin).toBeGreaterThan(1.96 / 10);
  expect(meanInterval(over([1, 2, 3]), 0.05)).toBeNull();
});
