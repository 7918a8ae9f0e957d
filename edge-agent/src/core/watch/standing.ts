/**
 * What a device thinks of its inputs from window to window: pure. An alarm stands for as many quiet rows as it took to be
 * raised, so that a slow drift, which alarms every few windows, is no verdict that comes and goes.
 */
import type { DriftVerdict } from "@vedette/protocol/drift";
import type { Judgement } from "@vedette/protocol/judge-drift";

export interface Standing {
  readonly verdict: DriftVerdict;
  readonly top: string | null;
  /** Rows from the detector's beginning to its last alarm; rows without one since then. */
  readonly raisedAfter: number;
  readonly quiet: number;
}
export const unjudged: Standing = { verdict: "insufficient", top: null, raisedAfter: 0, quiet: 0 };

const alarming = (verdict: DriftVerdict): boolean => verdict === "drift" || verdict === "critical";

/** @param rows of the window judged. @param since rows that the detector has seen, this window's among them. */
export function stand(before: Standing, judged: Judgement, rows: number, since: number): Standing {
  if (alarming(judged.verdict)) return { ...judged, raisedAfter: since, quiet: 0 };
  const quiet = before.quiet + rows;
  if (alarming(before.verdict) && quiet < before.raisedAfter) return { ...before, quiet };
  return { ...judged, raisedAfter: 0, quiet: 0 };
}
