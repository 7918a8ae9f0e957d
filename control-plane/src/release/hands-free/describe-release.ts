/** Where a proposed version stands, and how the API tells it. Pure. */
import type { GateState } from "@vedette/protocol/gate-api";
import type { HandsFree, ReleaseFacts, Release as Told } from "@vedette/protocol/release-api";
import type { SignedText } from "@vedette/protocol/signed";
import type { HandsFreeRecord, ReleaseRecord } from "../../db/releases.ts";
import { sha256 } from "../../sha256.ts";

/** What is asked of an open one. */
export interface Standing {
  /** The number that it would get. */
  readonly number: number;
  readonly gate: Pick<GateState, "state" | "why" | "signed">;
  readonly override: SignedText | null;
  readonly handsFree: HandsFreeRecord | undefined;
  /** Good signatures of its draft, and how many it takes; undefined: nobody may sign. */
  readonly signatures: { readonly good: number; readonly threshold: number } | undefined;
}

/** @param standing of an open one; null where it is over. */
export function describeRelease(release: ReleaseRecord, standing: Standing | null): ReleaseFacts {
  const { id, model, digest, createdBy, decidedBy, rollout, rolloutWhy } = release;
  return {
    ...{ id, model, digest, createdBy, decidedBy },
    ...(standing ? stateOf(release, standing) : { state: release.outcome ?? "checking", why: release.why ?? "" }),
    version: standing ? standing.number : release.version,
    offer: offerOf(release, standing),
    createdAt: iso(release.createdAt),
    decidedAt: release.decidedAt === null ? null : iso(release.decidedAt),
    rollout: rollout === null && rolloutWhy === null ? null : { id: rollout, why: rolloutWhy ?? "" },
  };
}

export function describeInDetail(release: ReleaseRecord, standing: Standing | null): Told {
  const { manifest, proposal, draft } = release;
  const signed = { report: standing?.gate.signed ?? null, override: standing?.override ?? null };
  return { ...describeRelease(release, standing), manifest, proposal, ...signed, draft };
}

export function describeHandsFree({ model, policy, frozen, reason, at, by }: HandsFreeRecord): HandsFree {
  return { model, policy, frozen, reason, at: iso(at), by };
}

/** Of one that is open. */
export function stateOf(
  { refusal }: Pick<ReleaseRecord, "refusal">,
  { gate, handsFree, signatures }: Standing,
): Pick<ReleaseFacts, "state" | "why"> {
  if (handsFree?.frozen) return { state: "frozen", why: `${handsFree.by} froze it: ${handsFree.reason}` };
  if (gate.state === "missing") return { state: "checking", why: gate.why };
  if (gate.state === "failed") return { state: "held", why: `the gate does not let it pass: ${gate.why}` };
  if (refusal !== null) return { state: "refused", why: refusal };
  const { good, threshold } = signatures ?? { good: 0, threshold: 1 };
  const waits = threshold === 1 ? "it waits for a signer" : `it has ${good} of ${threshold} signatures of signers`;
  return { state: "waiting", why: `${gate.why}; ${waits}` };
}

function offerOf({ digest, proposal, draft }: ReleaseRecord, standing: Standing | null): string {
  return sha256(
    JSON.stringify([digest, proposal, draft, standing?.number, standing?.gate.signed, standing?.override]),
  ).slice(0, 16);
}

function iso(ms: number): string {
  return new Date(ms).toISOString();
}
