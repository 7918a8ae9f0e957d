/**
 * The difference of two arms' means, with an interval that may be looked at at any time. Pure.
 *
 * What was randomised is the unit (a device, an entity), so the unit is what is counted: each with the mean of its values, and
 * the variance is that between units (clustered), whatever hangs together within one. The interval is the asymptotic confidence
 * sequence of Waudby-Smith et al. (statistics/mean-sequence.ts). Its clock is information, not units: values go on
 * coming of the same devices, and each look at better known means is a look of its own. n is so many independent values as
 * would give the present standard error: all of them where values of a unit are independent, the units where those of one
 * unit are equal. (Running means have independent increments by information: Scharfstein, Tsiatis & Robins, JASA 1997.)
 *
 * Few units know their own variance badly: the factor is that of Student's t with Welch's degrees of freedom that is as
 * unlikely (the first terms of its expansion in 1/ν; Abramowitz & Stegun 26.7.5).
 */

import type { ArmSums } from "../../measured.ts";
import { anytimeFactor, type MeanState } from "../../statistics/mean-sequence.ts";

/** Below it the variance between units is a guess. */
export const fewestUnits = 10;

/** What of an arm is compared. */
export type Compared = Pick<ArmSums, "means" | "values">;
export interface Difference {
  /** Candidate minus incumbent. */
  readonly estimate: number;
  readonly low: number;
  readonly high: number;
}

/** @param error that the interval is ever wrong. @returns null where there are too few units, or all values are equal. */
export function compareArms(candidate: Compared, incumbent: Compared, error: number): Difference | null {
  if (Math.min(candidate.means.n, incumbent.means.n) < fewestUnits) return null;
  const margin = marginOf(candidate, incumbent, error, 1);
  if (!(margin > 0)) return null;
  const estimate = candidate.means.mean - incumbent.means.mean;
  return { estimate, low: estimate - margin, high: estimate + margin };
}

/** How many times as many units it takes until an effect is wider than the interval's half; null: beyond telling. */
export function timesUntil(candidate: Compared, incumbent: Compared, error: number, effect: number): number | null {
  const shows = (times: number) => marginOf(candidate, incumbent, error, times) < effect;
  if (effect <= 0) return null;
  let enough = 1;
  while (!shows(enough)) {
    enough *= 2;
    if (enough > 1e6) return null;
  }
  if (enough === 1) return 1;
  let short = enough / 2;
  for (let step = 0; step < 30; step++) {
    const middle = (short + enough) / 2;
    if (shows(middle)) enough = middle;
    else short = middle;
  }
  return enough;
}

function marginOf(candidate: Compared, incumbent: Compared, error: number, times: number): number {
  const [a, b] = [errorOf(candidate.means), errorOf(incumbent.means)].map((one) => one / times) as [number, number];
  const between = a + b;
  const [m, n] = [candidate.means.n * times, incumbent.means.n * times];
  // Of shares: squares of squares of great values, or of small ones, are no numbers.
  const freedom = 1 / ((a / between) ** 2 / (m - 1) + (b / between) ** 2 / (n - 1));
  return Math.sqrt(between) * student(anytimeFactor(clockOf(candidate, incumbent, times, between), error), freedom);
}

/** Squared standard error of the mean of units. */
function errorOf({ n, squares }: MeanState): number {
  return squares / (n - 1) / n;
}

/** Independent values that would know the difference as well. */
function clockOf(candidate: Compared, incumbent: Compared, times: number, between: number): number {
  const all = (candidate.values.n + incumbent.values.n) * times;
  const single = ({ values }: Compared) => (values.squares / values.n) * (all / (values.n * times));
  return Math.min(all, (single(candidate) + single(incumbent)) / between);
}

/** The quantile of Student's t that is as unlikely as `z` of the normal distribution (Abramowitz & Stegun 26.7.5, three terms). */
function student(z: number, freedom: number): number {
  const first = (z ** 3 + z) / 4;
  const second = (5 * z ** 5 + 16 * z ** 3 + 3 * z) / 96;
  const third = (3 * z ** 7 + 19 * z ** 5 + 17 * z ** 3 - 15 * z) / 384;
  return z + first / freedom + second / freedom ** 2 + third / freedom ** 3;
}
