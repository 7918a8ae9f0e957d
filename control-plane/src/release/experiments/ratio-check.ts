/**
 * Whether the units are split as was planned: an experiment that loses units of one arm (answers that crash the app, values
 * that are told for one version only) compares those that are left, and says anything. Pure.
 *
 * A sequential test of a binomial share (Lindon & Malek, "Anytime-valid inference for multinomial count data", NeurIPS 2022,
 * section 3, with two categories): units come one by one, each with the planned chance of being the candidate's; against it
 * stands a mixture of all chances, Beta(κp, κ(1 − p)). Its likelihood ratio starts at 1 and is a martingale where the plan holds,
 * so it reaches 1/α with probability at most α, ever. Devices that are divided exactly stray less than that.
 */
import type { RatioCheck } from "@vedette/protocol/experiment";
import { logGamma } from "../../statistics/log-gamma.ts";

/** Chance of a false alarm, ever, of both checks together. */
export const ratioError = 0.01;
const checks = 2;
/**
 * κ. Few: quick to see gross losses; many: sharper for small ones among many units. With 100, half of one arm lost is seen after
 * about 150 units, a fifth after 1,000, a tenth after 4,000 (medians, planned 1 : 1).
 */
const concentration = 100;

/** @param planned share of the candidate, above 0, below 1. */
export function checkRatio(of: RatioCheck["of"], candidate: number, incumbent: number, planned: number): RatioCheck {
  const eValue = Math.exp(logEvidence(candidate, incumbent, planned));
  // JSON knows no infinity.
  const told = Math.min(eValue, 1e300);
  return { of, candidate, incumbent, planned, eValue: told, alarm: eValue >= checks / ratioError };
}

function logEvidence(candidate: number, incumbent: number, p: number): number {
  const [a, b] = [concentration * p, concentration * (1 - p)];
  const mixed = logBeta(a + candidate, b + incumbent) - logBeta(a, b);
  return mixed - candidate * Math.log(p) - incumbent * Math.log1p(-p);
}

function logBeta(a: number, b: number): number {
  return logGamma(a) + logGamma(b) - logGamma(a + b);
}
