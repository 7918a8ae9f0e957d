/**
 * How much slower the candidate's quantile is than the incumbent's, from histograms, with bounds that hold at every moment.
 * Pure.
 *
 * A quantile is below an edge of a bin where surely more than its share lies below that edge, and above one where surely less
 * does. The truth lies in one bin, so only the interval of the share at one of its two edges has to hold, and none of the
 * others (the inversion of Howard & Ramdas, "Sequential estimation of quantiles", Bernoulli 2022, for one quantile): scanning
 * from the far end, and ending at the first edge that is not sure, makes that so.
 */
import { latencyOfBin } from "@vedette/protocol/shadow";
import { type Interval, type SideErrors, shareInterval } from "../../statistics/anytime-interval.ts";
import type { Histogram } from "./paired-evidence.ts";

/** Bins between which the quantile lies, and in which its estimate does. */
interface Edges {
  readonly low: number | null;
  readonly middle: number;
  readonly high: number | null;
}

/**
 * @param quantile 0 to 1. @param errors of the ratio's two sides.
 * @returns ratio − 1; null where one of the two has no answer. Without a bound, −1 or infinity.
 */
export function quantileRatio(
  candidate: Histogram,
  incumbent: Histogram,
  quantile: number,
  errors: SideErrors,
): Interval | null {
  // Half of each side's error for either of the two.
  const [low, high] = [errors.low / 2, errors.high / 2];
  const mine = quantileEdges(candidate, quantile, { low, high });
  const theirs = quantileEdges(incumbent, quantile, { low: high, high: low });
  if (!mine || !theirs) return null;
  const ratio = (a: number | null, b: number | null, none: number) =>
    a === null || b === null ? none : latencyOfBin(a) / latencyOfBin(b) - 1;
  return {
    n: Math.min(total(candidate), total(incumbent)),
    estimate: ratio(mine.middle, theirs.middle, 0),
    low: ratio(mine.low, theirs.high, -1),
    high: ratio(mine.high, theirs.low, Number.POSITIVE_INFINITY),
  };
}

/** @param errors chance, ever, that the quantile is below `low`, above `high`. */
function quantileEdges(counts: Histogram, quantile: number, errors: SideErrors): Edges | null {
  const n = total(counts);
  if (n === 0) return null;
  const bins = [...counts.keys()].sort((a, b) => a - b);
  const [first = 0, last = 0] = [bins[0], bins.at(-1)];
  /** Below the edge at which each bin begins, from the first to the one after the last. */
  const below: number[] = [0];
  for (let bin = first; bin <= last; bin++) below.push((below.at(-1) ?? 0) + (counts.get(bin) ?? 0));
  // Where less than the share lies below an edge, the quantile is above it: wrong with the chance that the share is more.
  const shareBelow = (k: number) => shareInterval(n, k, quantile, { low: errors.high, high: errors.low });
  let low: number | null = null;
  for (let edge = 0; edge < below.length && (shareBelow(below[edge] as number)?.high ?? 1) < quantile; edge++) {
    low = first + edge;
  }
  let high: number | null = null;
  for (let edge = below.length - 1; edge >= 0 && (shareBelow(below[edge] as number)?.low ?? 0) > quantile; edge--) {
    high = first + edge;
  }
  const middle = first + Math.max(0, below.findIndex((k) => k >= quantile * n) - 1);
  return { low, middle, high };
}

function total(counts: Histogram): number {
  let sum = 0;
  for (const count of counts.values()) sum += count;
  return sum;
}
