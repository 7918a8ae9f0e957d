import { latencyBin } from "@vedette/protocol/shadow";
import { expect, test } from "vitest";
import { quantileRatio } from "./quantile-ratio.ts";

const errors = { low: 0.05, high: 0.05 };

function times(n: number, of: (i: number) => number): Map<number, number> {
  const counts = new Map<number, number>();
  for (let i = 0; i < n; i++) {
    const bin = latencyBin(of(i));
    counts.set(bin, (counts.get(bin) ?? 0) + 1);
  }
  return counts;
}
/** From 1 to 2 ms, spread evenly. */
const even = (i: number) => 1 + ((i * 0.618034) % 1);

test("without answers of both nothing is told", () => {
  expect(quantileRatio(new Map(), times(10, even), 0.95, errors)).toBeNull();
  expect(quantileRatio(times(10, even), new Map(), 0.95, errors)).toBeNull();
});

test("few answers bound nothing", () => {
  const found = quantileRatio(times(5, even), times(5, even), 0.95, errors);
  expect(found?.low).toBe(-1);
  expect(found?.high).toBe(Number.POSITIVE_INFINITY);
});

test("equal versions are equal within a few bins once there are enough", () => {
  const found = quantileRatio(times(20_000, even), times(20_000, even), 0.95, errors);
  expect(found?.estimate).toBeCloseTo(0, 1);
  expect(found?.low).toBeLessThan(0);
  expect(found?.low).toBeGreaterThan(-0.15);
  expect(found?.high).toBeGreaterThan(0);
  expect(found?.high).toBeLessThan(0.15);
});

test("[J2] one that is twice as slow is found so, and how much", () => {
  const found = quantileRatio(
    times(2000, (i) => 2 * even(i)),
    times(2000, even),
    0.95,
    errors,
  );
  expect(found?.low).toBeGreaterThan(0.5);
  expect(found?.high).toBeGreaterThan(1);
  expect(found?.high).toBeLessThan(1.6);
  expect(found?.estimate).toBeCloseTo(1, 0);
});
