/**
 * The life of a version beside the one that answers, as a pure table: it never takes that one's place; it is asked the same, or
 * answers some of the entities. The beside keeper says what happened, saves the pins that come out, and only then acts on them.
 *
 *     fetching ──fetched──▶ verified ──started──▶ proving ──proved──▶ asking      withdrawn, or another assigned ──▶ gone
 *        ▲  assigned by a      │ failed            │ failed            │ ▲ started (a new process)
 *        │  higher revision    ▼                   ▼ crash loop        ▼ │ failed, crash loop
 *        └──────────────── rejected(reason) ◀──────┴───────────────────┴─┘
 *
 * Lost files take it back to fetching.
 */
import type { Split } from "@vedette/protocol/split";
import type { RejectReason } from "../store/reject-reason.ts";

export interface Beside {
  readonly digest: string;
  readonly release: number;
  /** Bytes of the manifest. */
  readonly length: number;
  readonly state: "fetching" | "verified" | "proving" | "asking" | "rejected";
  /** Digest of the version that answers while it is asked. */
  readonly answering: string;
  /** Of the predictions, how large a share it is asked. */
  readonly sample: number;
  /** It is not asked beside, but answers these entities. */
  readonly split?: Split | undefined;
  /** Of the assignment that named it last. */
  readonly rev: number;
  /** Processes that began with it, and did not stand for a while nor end cleanly. */
  readonly starts: number;
  readonly reason: RejectReason | null;
  /** The reason in words, for people. */
  readonly why?: string | undefined;
}

export type BesideEvent =
  | {
      readonly kind: "assigned";
      readonly version: Pick<Beside, "digest" | "release" | "length" | "answering" | "sample" | "split">;
      readonly rev: number;
    }
  | { readonly kind: "withdrawn" }
  | { readonly kind: "fetched" }
  /** Its files, whole before, are no longer. */
  | { readonly kind: "lost" }
  /** About to be loaded by this process: saved before, so that one which dies of it counts. */
  | { readonly kind: "started" }
  /** `forgiven`: what ended the earlier processes was no crash of this version. */
  | { readonly kind: "proved"; readonly forgiven: boolean }
  /** This process has stood with it for a while. */
  | { readonly kind: "lived" }
  /** This process, which had begun with it, ends cleanly. */
  | { readonly kind: "stopped" }
  | { readonly kind: "failed"; readonly reason: RejectReason; readonly why: string };

/** The fourth start of a version whose processes died does not happen. */
export const maxBesideStarts = 3;

const transitions: Readonly<Partial<Record<BesideEvent["kind"], Partial<Record<Beside["state"], Beside["state"]>>>>> = {
  fetched: { fetching: "verified" },
  lost: { verified: "fetching", proving: "fetching", asking: "fetching" },
  started: { verified: "proving", proving: "proving", asking: "asking" },
  proved: { proving: "asking", asking: "asking" },
  lived: { asking: "asking" },
  stopped: { proving: "proving", asking: "asking" },
  failed: { fetching: "rejected", verified: "rejected", proving: "rejected", asking: "rejected" },
};

/** What becomes of it; the very same where the event changes nothing. */
export function stepBeside(beside: Beside | null, event: BesideEvent): Beside | null {
  if (event.kind === "assigned") return assign(beside, event.version, event.rev);
  if (event.kind === "withdrawn") return null;
  const state = beside && transitions[event.kind]?.[beside.state];
  if (!beside || !state) return beside;
  const { starts } = beside;
  switch (event.kind) {
    case "fetched":
    case "lost":
      return { ...beside, state };
    case "started":
      if (starts < maxBesideStarts) return { ...beside, state, starts: starts + 1 };
      return {
        ...beside,
        state: "rejected",
        reason: "crash_loop",
        why: `${starts} processes of the agent died while it was loaded or asked`,
      };
    case "proved": {
      const left = event.forgiven ? 0 : starts;
      return state === beside.state && left === starts ? beside : { ...beside, state, starts: left };
    }
    case "lived":
      return starts === 0 ? beside : { ...beside, starts: 0 };
    case "stopped":
      return starts === 0 ? beside : { ...beside, starts: starts - 1 };
    case "failed":
      return { ...beside, state, reason: event.reason, why: event.why };
  }
}

export function sameSplit(a: Split | undefined, b: Split | undefined): boolean {
  return a?.salt === b?.salt && a?.share === b?.share;
}

function assign(
  beside: Beside | null,
  version: Extract<BesideEvent, { kind: "assigned" }>["version"],
  rev: number,
): Beside {
  const { digest, release, length, answering, sample, split } = version;
  if (beside?.digest !== digest || (beside.state === "rejected" && rev > beside.rev)) {
    return { digest, release, length, answering, sample, split, state: "fetching", rev, starts: 0, reason: null };
  }
  const same = beside.rev === rev && beside.answering === answering && beside.sample === sample;
  return same && sameSplit(beside.split, split) ? beside : { ...beside, rev, answering, sample, split };
}
