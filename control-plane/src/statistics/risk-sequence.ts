/** The running mean of losses in [0, 1] with an interval that holds at every moment. Pure. */
import { mixtureBoundary } from "./mixture-boundary.ts";

export interface RiskInterval {
  readonly n: number;
  /** NaN where n is 0. */
  readonly mean: number;
  /** Between these lies the mean of what was to be expected of these n, at all times, with probability 1 − α. */
  readonly low: number;
  readonly high: number;
}

export interface RiskState {
  readonly n: number;
  readonly sum: number;
  /** Σ(Xᵢ − X̂ᵢ)², X̂ᵢ: the mean of those before, begun at ½. */
  readonly variance: number;
}

export const noRisk: RiskState = { n: 0, sum: 0, variance: 0 };

/** One more loss, in the order in which they became known. @param loss 0 to 1. */
export function observeLoss({ n, sum, variance }: RiskState, loss: number): RiskState {
  const guess = (sum + 0.5) / (n + 1);
  return { n: n + 1, sum: sum + loss, variance: variance + (loss - guess) ** 2 };
}

/** @param alpha of both sides together: each gets half. */
export function riskInterval(state: RiskState, alpha: number): RiskInterval {
  const { n, sum, variance } = state;
  if (n === 0) return { n, mean: Number.NaN, low: 0, high: 1 };
  const margin = mixtureBoundary(variance, alpha / 2) / n;
  const mean = sum / n;
  return { n, mean, low: Math.max(0, mean - margin), high: Math.min(1, mean + margin) };
}

/** What it would be after as many times more of the same: to say how many labels a verdict needs. */
export function scaledRisk({ n, sum, variance }: RiskState, times: number): RiskState {
  return { n: Math.round(n * times), sum: sum * times, variance: variance * times };
}

/** Several sequences as one, interleaved: each loss was guessed by what came before it, so the sums still bound each other. */
export function addRisks(risks: readonly RiskState[]): RiskState {
  const add = (a: RiskState, b: RiskState) => ({
    n: a.n + b.n,
    sum: a.sum + b.sum,
    variance: a.variance + b.variance,
  });
  return risks.reduce(add, noRisk);
}
