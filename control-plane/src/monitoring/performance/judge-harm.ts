/**
 * Whether a model does worse than it did. Podkopaev & Ramdas, "Tracking the risk of a deployed model and detecting harmful
 * distribution shifts" (ICLR 2022): harm is told when the lower bound of the risk now exceeds the upper bound of the risk
 * before by more than a tolerance. Each bound holds but for α/2, so a false "harmful" comes with probability at most α, however
 * often one looks; likewise a false "benign". Pure.
 */
import { type RiskInterval, type RiskState, riskInterval, scaledRisk } from "../../statistics/risk-sequence.ts";

type HarmVerdict = "harmful" | "benign" | "unknown";
export interface Judged {
  readonly verdict: HarmVerdict;
  /** Risk now less risk before; null where either is not known. */
  readonly difference: { readonly estimate: number; readonly low: number; readonly high: number } | null;
  /** About how many labels more decide it, if they go on as these; null where it is decided, or would stay open. */
  readonly moreLabels: number | null;
}

const furthest = 10_000_000;

/**
 * @param now losses since the moment. @param before their interval at level `alpha`; null where nothing is known.
 * @param tolerance how much more risk is no harm, 0 to 1. @param alpha of a false verdict, of either kind.
 */
export function judgeHarm(now: RiskState, before: RiskInterval | null, tolerance: number, alpha: number): Judged {
  if (before === null || now.n === 0) return { verdict: "unknown", difference: null, moreLabels: null };
  const after = riskInterval(now, alpha);
  const verdict = decide(after, before, tolerance);
  return {
    verdict,
    difference: {
      estimate: after.mean - before.mean,
      low: after.low - before.high,
      high: after.high - before.low,
    },
    moreLabels: verdict === "unknown" ? labelsNeeded(now, before, tolerance, alpha) : null,
  };
}

function decide(after: RiskInterval, before: RiskInterval, tolerance: number): HarmVerdict {
  if (after.low - before.high > tolerance) return "harmful";
  return after.high - before.low <= tolerance ? "benign" : "unknown";
}

function labelsNeeded(now: RiskState, before: RiskInterval, tolerance: number, alpha: number): number | null {
  for (let times = 1.25; now.n * times <= furthest; times *= 1.25) {
    const state = scaledRisk(now, times);
    if (decide(riskInterval(state, alpha), before, tolerance) !== "unknown") return state.n - now.n;
  }
  return null;
}
