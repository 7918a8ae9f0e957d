import { expect, test } from "vitest";
import { noRisk, observeLoss, type RiskState, riskInterval } from "./risk-sequence.ts";

/** Mulberry32: the same numbers everywhere. */
function random(seed: number): () => number {
  let state = seed;
  return () => {
    state = (state + 0x6d2b79f5) | 0;
    let t = Math.imul(state ^ (state >>> 15), 1 | state);
    t = (t + Math.imul(t ^ (t >>> 7), 61 | t)) ^ t;
    return ((t ^ (t >>> 14)) >>> 0) / 2 ** 32;
  };
}

interface Stream {
  /** What is to be expected of the i-th, given the losses so far. */
  mean(i: number, past: RiskState): number;
  draw(mean: number, next: () => number): number;
}
const coin: Stream["draw"] = (mean, next) => (next() < mean ? 1 : 0);
const streams: Record<string, Stream> = {
  "a fair coin": { mean: () => 0.5, draw: coin },
  "rare errors": { mean: () => 0.02, draw: coin },
  "errors that drift from .1 to .6": { mean: (i) => 0.1 + Math.min(0.5, i / 1000), draw: coin },
  "errors that depend on those before": { mean: (_, { n, sum }) => 0.2 + (0.6 * sum) / Math.max(1, n), draw: coin },
  "small spread": { mean: () => 0.3, draw: (mean, next) => mean + (next() - 0.5) * 0.1 },
};
const [runs, length, alpha] = [200, 1000, 0.1];

test.each(Object.entries(streams))(
  "[U2] over whole streams, looked at after each loss, the interval misses the running expectation at most as often as it says: %s",
  (_, { mean, draw }) => {
    let missed = 0;
    for (let run = 0; run < runs; run++) {
      const next = random(run + 1);
      let [state, expected, out] = [noRisk, 0, false];
      for (let i = 0; i < length && !out; i++) {
        const m = mean(i, state);
        expected += m;
        state = observeLoss(state, draw(m, next));
        const { low, high } = riskInterval(state, alpha);
        out = expected / state.n < low - 1e-12 || expected / state.n > high + 1e-12;
      }
      if (out) missed++;
    }
    // Four standard deviations over the nominal share.
    expect(missed / runs).toBeLessThanOrEqual(alpha + 4 * Math.sqrt((alpha * (1 - alpha)) / runs));
  },
);

test("[U2] it shrinks as labels come: ±.066 after 500 of an accuracy of .8, ±.01 after 20,000", () => {
  const widthAfter = (n: number) => {
    let state = noRisk;
    for (let i = 0; i < n; i++) state = observeLoss(state, i % 5 === 0 ? 1 : 0);
    const { low, high } = riskInterval(state, 0.05);
    return (high - low) / 2;
  };
  expect(widthAfter(500)).toBeLessThan(0.067);
  expect(widthAfter(20_000)).toBeLessThan(0.0101);
  expect(riskInterval(noRisk, 0.05)).toEqual({ n: 0, mean: Number.NaN, low: 0, high: 1 });
});
