/**
 * Intervals for means of bounded values that hold at every moment at once, from sums alone. Pure.
 *
 * The boundary is that of mixture-boundary.ts (Howard et al. 2021, Theorem 4), whose guesses X̂ᵢ may be
 * any that are made before Xᵢ is seen. Here they are one constant, "no difference": so nothing but sums is needed, evidence
 * of devices may arrive in any order, and it is sharpest where it matters, for versions that differ little.
 */
import { mixtureBoundary, mixtureOf } from "./mixture-boundary.ts";

/**
 * Bets for versions that hardly ever differ: the strongest counts most, so that a variance of nothing bounds a sum by 4.3 where
 * the mixture for labels has 7.8 (error .05); it costs up to a tenth where the variance is from 100 to 10⁵.
 */
const strongest = 0.95;
const bets = mixtureOf(
  Array.from({ length: 20 }, (_, k) => ({ lambda: strongest / Math.SQRT2 ** k, weight: 1 / (k + 1) })),
);

/** Of differences in [−1, 1]. */
export interface Differences {
  readonly n: number;
  readonly sum: number;
  readonly squares: number;
}
/** Chance, ever, that the truth is below `low`, and above `high`. */
export interface SideErrors {
  readonly low: number;
  readonly high: number;
}
export interface Interval {
  readonly n: number;
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

/** Of the running mean of differences in [−1, 1]. @returns null where there are none. */
export function differenceInterval({ n, sum, squares }: Differences, errors: SideErrors): Interval | null {
  if (n === 0) return null;
  // X = (D + 1) / 2 is in [0, 1], guessed at ½: (X − X̂)² = D² / 4.
  const half = interval({ n, sum: (sum + n) / 2, variance: squares / 4 }, errors);
  const back = (x: number) => 2 * x - 1;
  return { n, estimate: back(half.estimate), low: back(half.low), high: back(half.high) };
}

/** Of a share, k of n. @param guess where it is sharpest, 0 to 1. @returns null where there are none. */
export function shareInterval(n: number, k: number, guess: number, errors: SideErrors): Interval | null {
  if (n === 0) return null;
  return interval({ n, sum: k, variance: k * (1 - guess) ** 2 + (n - k) * guess ** 2 }, errors);
}

function interval(
  { n, sum, variance }: { n: number; sum: number; variance: number },
  { low, high }: SideErrors,
): Interval {
  const estimate = sum / n;
  return {
    n,
    estimate,
    low: Math.max(0, estimate - mixtureBoundary(variance, low, bets) / n),
    high: Math.min(1, estimate + mixtureBoundary(variance, high, bets) / n),
  };
}
