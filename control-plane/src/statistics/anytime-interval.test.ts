import { expect, test } from "vitest";
import { differenceInterval, shareInterval } from "./anytime-interval.ts";

const errors = { low: 0.05, high: 0.05 };

/** Lehmer's generator: the same numbers in every run. */
function uniform(seed: number): () => number {
  let state = seed * 48271 + 1;
  return () => {
    state = (state * 48271) % 2147483647;
    return state / 2147483647;
  };
}

test("nothing is known of nothing", () => {
  expect(differenceInterval({ n: 0, sum: 0, squares: 0 }, errors)).toBeNull();
  expect(shareInterval(0, 0, 0.5, errors)).toBeNull();
});

test("two versions that never differ are told apart by less than a fiftieth after some hundred pairs", () => {
  const after = (n: number) => differenceInterval({ n, sum: 0, squares: 0 }, errors)?.high ?? 1;
  expect(after(100)).toBeGreaterThan(0.02);
  expect(after(450)).toBeLessThan(0.02);
});

test("a version that fails every time is surely worse after twenty pairs, not after three", () => {
  const after = (n: number) => differenceInterval({ n, sum: n, squares: n }, { low: 0.05 / 3, high: 0.05 })?.low ?? -1;
  expect(after(3)).toBeLessThan(0);
  expect(after(30)).toBeGreaterThan(0);
});

/** Share of streams in which the truth is ever outside one side of the interval, looked at after every value. */
function everOutside(
  streams: number,
  length: number,
  next: (random: () => number, i: number) => { d: number; mean: number },
) {
  let above = 0;
  let below = 0;
  for (let stream = 0; stream < streams; stream++) {
    const random = uniform(stream + 1);
    let [sum, squares, truth] = [0, 0, 0];
    let [over, under] = [false, false];
    for (let n = 1; n <= length; n++) {
      const { d, mean } = next(random, n);
      sum += d;
      squares += d * d;
      truth += mean;
      const found = differenceInterval({ n, sum, squares }, errors);
      over ||= truth / n > (found?.high ?? 1);
      under ||= truth / n < (found?.low ?? -1);
    }
    if (over) above++;
    if (under) below++;
  }
  return { above: above / streams, below: below / streams };
}

test("[J1] looked at after every pair, the truth is outside either side no more often than stated", {
  timeout: 60_000,
}, () => {
  const rare = everOutside(300, 600, (random) => {
    const u = random();
    return { d: u < 0.03 ? 1 : u < 0.05 ? -1 : 0, mean: 0.01 };
  });
  expect(rare.above).toBeLessThanOrEqual(0.05);
  expect(rare.below).toBeLessThanOrEqual(0.05);
  // Devices that differ, each for a while: what is bounded is the running mean of what was to be expected.
  const uneven = everOutside(300, 600, (random, i) => {
    const p = Math.floor(i / 50) % 3 === 0 ? 0.6 : 0.1;
    return { d: random() < p ? 1 : -1, mean: 2 * p - 1 };
  });
  expect(uneven.above).toBeLessThanOrEqual(0.05);
  expect(uneven.below).toBeLessThanOrEqual(0.05);
});

test("a share's interval is sharpest at its guess", () => {
  const width = (guess: number) => {
    const found = shareInterval(10_000, 100, guess, errors);
    return found ? found.high - found.low : 1;
  };
  expect(width(0.01)).toBeLessThan(width(0.5) / 3);
});
