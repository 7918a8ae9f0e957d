/** What the engine is told of the world at one moment: plain data, which `read-world.ts` makes of the database. */
import type { RolloutVerdict } from "@vedette/protocol/rollout";
import type { Labels } from "../../db/records.ts";
import type { MemberKind, Rollout } from "../../db/rollout-records.ts";

/** How far a device is with the candidate, as it last reported. */
export type Progress =
  | { readonly kind: "nothing" }
  | { readonly kind: "updating"; readonly why: string | null }
  /** It answers by it: so many predictions. */
  | { readonly kind: "answering"; readonly served: number }
  /** It is asked beside the incumbent: so many pairs. */
  | { readonly kind: "asked"; readonly pairs: number }
  | { readonly kind: "rejected"; readonly why: string }
  /** It cannot have both versions in memory now: no fault of the candidate. */
  | { readonly kind: "unable"; readonly why: string };

export interface DeviceFacts {
  readonly agent: string;
  readonly labels: Labels;
  readonly online: boolean;
  /** It lives in a page of a browser, and so for a moment perhaps. */
  readonly page?: boolean;
  /** Digest that the standing rules assign it; null: none. */
  readonly incumbent: string | null;
  /** Why what the standing rules name may not be run, so that there is nothing to return to; null or absent: there is, or no rule. */
  readonly stranded?: string | null;
  /** Why it may not run the candidate, for people; null: it may. */
  readonly lacks: string | null;
  /** Its agent knows how to ask a second version. */
  readonly shadows: boolean;
  /** Its agent knows how to split requests between two versions. */
  readonly splits?: boolean;
  /** Why it cannot have the candidate in memory beside what it runs, for people; null: it can. Histories of before do not say. */
  readonly lacksBoth?: string | null | undefined;
  /** It spent what it may send and receive for now. */
  readonly overBudget: boolean;
  /** Another live rollout of the same model that it is a member of. */
  readonly takenBy: number | null;
  /** As what the last decision of the director assigns it the candidate. */
  readonly holds: MemberKind | null;
  /** Revision of that decision. */
  readonly rev: number;
  /** Revision that its report is about. */
  readonly reportedRev: number;
  readonly progress: Progress;
}

export interface GateAnswer {
  readonly passed: boolean;
  /** For people: what it rests on, what failed, or who let it pass all the same. */
  readonly why: string;
}

export interface World {
  /** The whole fleet, without revoked devices. */
  readonly devices: readonly DeviceFacts[];
  /** By the signed metadata. */
  readonly assignable: "yes" | "not listed" | "revoked";
  readonly gate: GateAnswer;
  /** An earlier rollout that it must wait for. */
  readonly blockedBy: number | null;
  /** UTC ms by the clock on the wall, which hours of the day are of; spans are counted by a time that never goes back. */
  readonly wall: number;
  /** What the analysis makes of the evidence so far; null before the first stage began. */
  readonly verdict: RolloutVerdict | null;
}

/**
 * What the evidence says of a rollout, by its policy; release/analysis answers.
 * @param now UTC ms; a replay asks of moments of the past, and is told what was known then.
 */
export type Judge = (rollout: Rollout, devices: readonly DeviceFacts[], now: number) => Promise<RolloutVerdict>;
