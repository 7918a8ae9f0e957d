/**
 * When a version in place is no longer trusted: pure. `trip-watch.ts` feeds it what came of each run and acts on the
 * verdict. On probation the first sign is enough, since the version before stands by; after it only what goes on, and a
 * doubt is settled by asking the version itself, since anybody's bad input can look like a bad model.
 */
import type { RejectReason } from "../store/reject-reason.ts";
import type { Outcome } from "./outcome.ts";

export interface TripPolicy {
  /** Rows without a trip that end a probation. */
  readonly probation: number;
  /**
   * Share of the probation that may be late before the model itself is timed. Late answers alone say nothing: they may
   * have waited behind a large request, or for a busy processor.
   */
  readonly lateShare: number;
  /** Share of unsure answers in a probation that is too much, where the version before had less than half of it. */
  readonly unsureShare: number;
  /** After probation: runs in a row of one kind of failure that raise a doubt. */
  readonly failuresInARow: number;
  readonly lateInARow: number;
}
export const tripPolicy: Omit<TripPolicy, "probation"> = {
  lateShare: 0.1,
  unsureShare: 0.5,
  failuresInARow: 5,
  lateInARow: 20,
};

/** What is known of the version in place, since it came there or since it was last found sound. */
export interface Evidence {
  /** Rows. */
  readonly passed: number;
  readonly late: number;
  readonly unsure: number;
  /** Runs in a row of the failure that came last. */
  readonly row: { readonly kind: Doubt; readonly runs: number } | null;
}
export const noEvidence: Evidence = { passed: 0, late: 0, unsure: 0, row: null };

export type Doubt = Extract<RejectReason, "exceptions" | "not_a_number" | "latency_budget">;
export type Verdict =
  | { readonly kind: "on" }
  | { readonly kind: "trip"; readonly reason: RejectReason }
  /** Ask the version itself before it is judged. */
  | { readonly kind: "doubt"; readonly of: Doubt }
  | { readonly kind: "passed" };
const goOn: Verdict = { kind: "on" };

/** What one more run makes of the evidence. */
export function gather(evidence: Evidence, outcome: Outcome): Evidence {
  if (outcome.n === 0) return evidence;
  const kind = failureOf(outcome);
  return {
    passed: evidence.passed + outcome.n - outcome.overBudget,
    late: evidence.late + outcome.overBudget,
    unsure: evidence.unsure + outcome.unsure,
    row: kind && { kind, runs: kind === evidence.row?.kind ? evidence.row.runs + 1 : 1 },
  };
}

/** @param before share of unsure answers of the version before; null where it answered too little to tell. */
export function judgeProbation(evidence: Evidence, policy: TripPolicy, before: number | null): Verdict {
  const { passed, late, unsure, row } = evidence;
  if (row?.kind === "not_a_number" || row?.kind === "exceptions") return { kind: "trip", reason: row.kind };
  if (late > policy.lateShare * policy.probation) return { kind: "doubt", of: "latency_budget" };
  if (passed < policy.probation) return goOn;
  const share = unsure / passed;
  if (before !== null && share > policy.unsureShare && share > 2 * before) {
    return { kind: "trip", reason: "fallback_rate" };
  }
  return { kind: "passed" };
}

/** After probation. */
export function judgeService({ row }: Evidence, policy: TripPolicy): Verdict {
  if (!row) return goOn;
  const enough = row.kind === "latency_budget" ? policy.lateInARow : policy.failuresInARow;
  return row.runs >= enough ? { kind: "doubt", of: row.kind } : goOn;
}

function failureOf({ n, failed, nan, overBudget }: Outcome): Doubt | null {
  if (failed > 0) return "exceptions";
  if (nan > 0) return "not_a_number";
  return overBudget === n ? "latency_budget" : null;
}
