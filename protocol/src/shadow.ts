/**
 * What a device finds when it asks a second version the same inputs, off the answer's path: counts and sums of pairs, never
 * an input. In a shadow stage the second is a rollout's candidate; in a canary stage it is the incumbent. Both are measured
 * alike, by their own runs of the same rows, so that which of them answers makes no difference.
 */
import { z } from "zod";
import { epochId, modelName, sha256Hex } from "./ids.ts";

const count = z.int().min(0);
/** Sums of a number over pairs. */
const sums = z.object({ n: count, sum: z.number(), sumSquares: z.number().min(0) });
export type PairSums = z.infer<typeof sums>;

/** Bins of answer times are a sixteenth of an octave (4.4 %) wide: bin = ⌊16 log₂ µs⌋; the last has all from 131 s on. */
const latencyBins = 432;
/** @param ms 0 and up. */
export function latencyBin(ms: number): number {
  return Math.min(latencyBins - 1, Math.max(0, Math.floor(16 * Math.log2(Math.max(1, ms * 1000)))));
}
/** Ms at which a bin begins; the one before it ends there. */
export function latencyOfBin(bin: number): number {
  return 2 ** (bin / 16) / 1000;
}
const histogram = z
  .array(
    z.tuple([
      z
        .int()
        .min(0)
        .max(latencyBins - 1),
      z.int().min(1),
    ]),
  )
  .max(latencyBins);
export type LatencyCounts = z.infer<typeof histogram>;

/** Numbers that differ by less than this part of the greater one are the same answer. */
export const sameWithin = 0.05;
/** Whether two values are the same answer, of a regression or of raw outputs. */
export function agree(a: number, b: number): boolean {
  return a === b || Math.abs(a - b) <= sameWithin * Math.max(Math.abs(a), Math.abs(b));
}

/** Longest list of disagreements in one parcel: those beyond it are counted as omitted. */
export const mostDisagreements = 512;

/** What came of the rows that both versions were asked. */
export const pairCounts = z.object({
  /** Rows that both were asked, and rows that only the answering one was: not sampled, or over the device's limits. */
  rows: count,
  skipped: count,
  /**
   * Rows where a version's answer would stand: both, only the answering one's, only the other's, neither's. It stands where
   * its schema takes the row, and its run did not fail, took no longer than its latency budget, and gave a finite answer
   * that is confident enough.
   */
  fit: z.tuple([count, count, count, count]),
  /** Of those where both stand: `agree` says so. */
  agreed: count,
  /** Classes: index of the answering one's, of the other's, how often. Where both stand. */
  table: z.array(z.tuple([count, count, z.int().min(1)])).max(1024),
  /** The other's minus the answering one's, where both stand: of values (regression), and of confidences. */
  value: sums.nullable(),
  confidence: sums.nullable(),
  /** One time a run, of the same rows in both; none of a run that failed. */
  latency: z.object({ answering: histogram, beside: histogram }),
});
export type PairCounts = z.infer<typeof pairCounts>;

/** …/shadow, upward. Sent until …/sack answers it; stored once by (epoch, n). */
export const shadowParcel = z.object({
  model: modelName,
  /** Who answered, and who was asked beside it. */
  answering: sha256Hex,
  beside: sha256Hex,
  window: z.object({
    /** Random, once for each pair that began anew. */
    epoch: epochId,
    /** 0, 1, 2 … within the epoch. */
    n: count,
    /**
     * UTC ms, by the control plane's clock as far as the device knows it, like the times of its predictions: when the first
     * and the last of its rows were answered.
     */
    from: z.number(),
    to: z.number(),
  }),
  counts: pairCounts,
  /**
   * The other's answer to rows where both stand and do not agree: labels tell later who was right. Where they agree, both
   * were. `id`: `epoch.n` of the prediction.
   */
  disagreements: z
    .array(
      z.object({ id: z.string().regex(/^[0-9a-f]{16}\.\d{1,16}$/), says: z.union([z.number(), z.string().max(256)]) }),
    )
    .max(mostDisagreements),
  omitted: count,
});
export type ShadowParcel = z.infer<typeof shadowParcel>;

/** …/sack, downward: the parcel is stored for good, or refused for good; either way the device may forget it. */
export const shadowAck = z.object({
  epoch: epochId,
  n: count,
  refused: z.string().max(500).optional(),
});
export type ShadowAck = z.infer<typeof shadowAck>;
