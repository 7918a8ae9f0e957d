/**
 * An interval for a mean of which only size and mean are known, such as a version's training metric. Chernoff's bound for
 * independent values in [0, 1] and one fixed n: P(kl(mean, truth) ≥ ln(1/δ)/n, on one side) ≤ δ (Hoeffding 1963, Theorem 1).
 */
import type { RiskInterval } from "./risk-sequence.ts";

/** @param n at least 1. @param mean 0 to 1. @param alpha of both sides together. */
export function summaryInterval(n: number, mean: number, alpha: number): RiskInterval {
  const budget = Math.log(2 / alpha) / n;
  return {
    n,
    mean,
    low: bisect(mean, 0, (q) => bernoulliDivergence(mean, q) <= budget),
    high: bisect(mean, 1, (q) => bernoulliDivergence(mean, q) <= budget),
  };
}

/** The last value from `inside` towards `end` that is allowed; on the side of `end`, so that the interval is never too short. */
function bisect(inside: number, end: number, allowed: (q: number) => boolean): number {
  if (allowed(end)) return end;
  let [near, far] = [inside, end];
  for (let step = 0; step < 60; step++) {
    const middle = (near + far) / 2;
    if (allowed(middle)) near = middle;
    else far = middle;
  }
  return far;
}

/** kl(p, q) of two coins, with 0·ln 0 = 0. */
function bernoulliDivergence(p: number, q: number): number {
  const part = (a: number, b: number) => (a === 0 ? 0 : b === 0 ? Number.POSITIVE_INFINITY : a * Math.log(a / b));
  return part(p, q) + part(1 - p, 1 - q);
}
