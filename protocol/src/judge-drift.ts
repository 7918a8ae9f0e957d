/**
 * From the kernels' numbers to a verdict, by the signed policy: devices judge their windows by it, the control plane what
 * it merged. Pure. The sequential detector alone says drift, since it may be asked for ever; a window's tests give notice.
 */
import { type DriftPolicy, type DriftVerdict, leastRowsToJudge } from "./drift.ts";

/** What is read of a feature's report; as the kernels have it. */
export interface JudgedFeature {
  readonly name: string;
  readonly n: number;
  readonly missing: number;
  readonly pMissing: number;
  readonly pValue: number;
  readonly ksLow: number;
  readonly linf: number;
  readonly verdict: "insufficient" | "none" | "drift";
}
export interface JudgedReport {
  readonly n: number;
  readonly features: readonly JudgedFeature[];
  readonly joint: { readonly p: number } | null;
  readonly alarm: boolean;
  readonly topFeature: string;
}
export interface Judgement {
  readonly verdict: DriftVerdict;
  /** The feature that speaks loudest; null where none says anything. */
  readonly top: string | null;
}

/** A feature of which so much is missing is as good as gone. */
const gone = 0.9;

/** How far a feature has moved, 0 to 1: its KS distance (from below), or the share that moved from or to a cell. */
export function effectOf({ n, missing, pMissing, ksLow, linf }: JudgedFeature): number {
  const total = n + missing;
  const lost = total >= leastRowsToJudge && missing >= gone * total && pMissing < 1e-6 ? missing / total : 0;
  return Math.max(lost, n >= leastRowsToJudge ? Math.max(ksLow, linf) : 0);
}

/** The verdict on one window (or merge of windows). */
export function judgeDrift(report: JudgedReport, policy: DriftPolicy): Judgement {
  const { features, joint, alarm, topFeature } = report;
  if (alarm) {
    const effect = Math.max(0, ...features.map(effectOf));
    if (effect < policy.drift) return { verdict: "notice", top: topFeature };
    return { verdict: effect >= policy.critical ? "critical" : "drift", top: topFeature };
  }
  if (report.n < leastRowsToJudge || features.every(({ verdict }) => verdict === "insufficient")) {
    return { verdict: "insufficient", top: null };
  }
  // Bonferroni over all tests of the window.
  const level = policy.notice / (2 * features.length + (joint ? 1 : 0));
  let least = joint?.p ?? 1;
  let top: string | null = null;
  for (const feature of features) {
    const p = Math.min(feature.verdict === "insufficient" ? 1 : feature.pValue, feature.pMissing);
    if (p < least) [least, top] = [p, feature.name];
  }
  return least < level ? { verdict: "notice", top: top ?? topFeature } : { verdict: "none", top: null };
}

/** The worse of two. */
export function isWorse(a: DriftVerdict, b: DriftVerdict): boolean {
  return severity[a] > severity[b];
}
const severity: Readonly<Record<DriftVerdict, number>> = { insufficient: 0, none: 1, notice: 2, drift: 3, critical: 4 };
