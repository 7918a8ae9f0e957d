/** What a rollout's parcels say since one moment, added up as they come. Pure but for the tally itself. */
import type { ShadowParcel } from "@vedette/protocol/shadow";
import { noEvidence, type PairedLabels } from "./evidence.ts";
import { addPairs, noPairs, type PairedEvidence } from "./paired-evidence.ts";

/** Disagreements whose labels are looked for; the newest count. */
const mostDisagreements = 200_000;

/** Rows that both were asked, and rows of the answering one alone. */
interface Asked {
  rows: number;
  skipped: number;
}

export interface Tally {
  /** UTC ms, of the parcels' arrival. */
  readonly since: number;
  pairs: PairedEvidence;
  /** Prediction id → what the version beside the answering one said. */
  readonly disagreements: Map<string, string | number>;
  /** By device, then by the digest of the answering version. */
  readonly asked: Map<string, Map<string, Asked>>;
  /** As they were joined last, and when: UTC ms. */
  labels: PairedLabels;
  labelsAt: number;
}

/** @param since UTC ms. */
export function emptyTally(since: number): Tally {
  const { labels } = noEvidence;
  const never = Number.NEGATIVE_INFINITY;
  return { since, pairs: noPairs, disagreements: new Map(), asked: new Map(), labels, labelsAt: never };
}

type Parcel = Pick<ShadowParcel, "model" | "answering" | "counts" | "disagreements"> & { readonly agent: string };

/** @param candidate digest of the rollout's version; the other one of the parcel is its incumbent. */
export function addParcel(tally: Tally, parcel: Parcel, candidate: string): void {
  const { agent, model, answering, counts, disagreements } = parcel;
  tally.pairs = addPairs(tally.pairs, counts, answering === candidate ? "candidate" : "incumbent");
  const ofAgent = tally.asked.get(agent) ?? new Map<string, Asked>();
  tally.asked.set(agent, ofAgent);
  const asked = ofAgent.get(answering) ?? { rows: 0, skipped: 0 };
  ofAgent.set(answering, { rows: asked.rows + counts.rows, skipped: asked.skipped + counts.skipped });
  for (const { id, says } of disagreements) tally.disagreements.set(`${agent}.${model}.${id}`, says);
  for (const id of tally.disagreements.keys()) {
    if (tally.disagreements.size <= mostDisagreements) break;
    tally.disagreements.delete(id);
  }
}
