/**
 * Hands-free release: versions that are proposed without a signature, and what a signer (`vedette signer`) and operators say
 * of them. The control plane offers; the signer believes nothing of it but what is signed by keys that it was told at set-up.
 */
import canonicalize from "canonicalize";
import { z } from "zod";
import { publishVersion } from "./api.ts";
import { reason } from "./audit.ts";
import { VedetteError } from "./errors.ts";
import { modelName, sha256Hex, siteId } from "./ids.ts";
import { rolloutPolicy } from "./rollout.ts";
import { signedText } from "./signed.ts";

/** Who wants a version released, when: a signed text of type `proposal`, RFC 8785 when written. */
export const proposal = z.object({
  format: z.literal("vedette.proposal/1"),
  site: siteId,
  model: modelName,
  /** sha256 of the manifest. */
  digest: sha256Hex,
  at: z.iso.datetime(),
});
export type Proposal = z.infer<typeof proposal>;

/** RFC 8785: the payload that is signed. */
export function encodeProposal(document: Proposal): string {
  const text = canonicalize(document);
  if (text === undefined) throw new VedetteError("internal", "the proposal has no canonical form");
  return text;
}

/** How old a gate's report may be for a signer: what waits for longer is checked anew. */
export const longestReportMs = 24 * 3_600_000;
/** How old a proposal may be for a signer. */
export const longestProposalMs = 30 * 86_400_000;

/** POST /v1/models/{model}/releases. Blobs were sent before; nobody signed metadata for it yet. */
export const proposeVersion = publishVersion
  .pick({ manifest: true, modelSignature: true })
  .extend({ proposal: signedText });

/**
 * `checking`: the gate has no report of it yet. `held`: the gate does not let it pass. `waiting`: for a signer. `refused`: by a
 * signer, which looks again when something changes. `frozen`: an operator stopped the model's. The others are for good;
 * `superseded`: a newer one was proposed before a signer had signed it.
 */
export const releaseStates = [
  "checking",
  "held",
  "waiting",
  "refused",
  "frozen",
  "released",
  "superseded",
  "withdrawn",
] as const;

export const releaseFacts = z.object({
  id: z.int(),
  model: modelName,
  digest: sha256Hex,
  state: z.enum(releaseStates),
  /** The number that it has, or would get now; null where it gets none. */
  version: z.int().min(1).nullable(),
  /** Why it stands where it stands, for people. */
  why: z.string(),
  /** Changes with whatever a signer would look at: only to save it the trouble. */
  offer: z.string(),
  createdAt: z.iso.datetime(),
  createdBy: z.string(),
  decidedAt: z.iso.datetime().nullable(),
  decidedBy: z.string().nullable(),
  /** The rollout that began by itself, or why none has; null where none is to begin. */
  rollout: z.object({ id: z.int().nullable(), why: z.string() }).nullable(),
});
export type ReleaseFacts = z.infer<typeof releaseFacts>;

/** What a model's releases do by themselves. */
export const handsFree = z.object({
  model: modelName,
  /** By which each version that a signer signed is rolled out at once; null: an operator starts the rollout. */
  policy: rolloutPolicy.nullable(),
  /** Nothing is taken from signers, and nothing begins, until an operator says so. */
  frozen: z.boolean(),
  reason: z.string().nullable(),
  at: z.iso.datetime(),
  by: z.string(),
});
export type HandsFree = z.infer<typeof handsFree>;

/** GET /v1/releases: the newest first. */
export const releaseList = z.object({ releases: z.array(releaseFacts), handsFree: z.array(handsFree) });

/** GET /v1/releases/{id}: all that a signer needs but the chunks. */
export const release = releaseFacts.extend({
  manifest: z.string(),
  proposal: signedText,
  report: signedText.nullable(),
  override: signedText.nullable(),
  /** The project's metadata with the signatures so far, where more than one signer is needed. */
  draft: z.string().nullable(),
});
export type Release = z.infer<typeof release>;

/** POST /v1/releases/{id}/signature: the project's role, signed. */
export const signRelease = z.strictObject({ metadata: z.string() });
/** POST /v1/releases/{id}/refusal. */
export const refuseRelease = z.strictObject({ why: z.string().min(1).max(2000) });
/** POST /v1/releases/{id}/withdrawal. */
export const withdrawRelease = z.strictObject({ reason });
/** PUT /v1/models/{model}/hands-free. */
export const setHandsFree = z.strictObject({ policy: rolloutPolicy.nullable() });
/** PUT /v1/models/{model}/freeze. */
export const setFreeze = z.strictObject({ frozen: z.boolean(), reason });
/** Answer of both; and rollouts that were paused with a freeze. */
export const handsFreeAnswer = handsFree.extend({ paused: z.array(z.int()) });

/** GET /v1/gate: the key that signs reports; `next` waits while a rotation is under way. */
export const gateKeys = z.object({ key: z.string(), next: z.string().nullable() });
