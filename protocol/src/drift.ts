/**
 * Drift as both ends speak of it: the verdicts, the signed policy with its defaults, and the windows that devices send up.
 * A window holds counts and sums, never a value; the kernels (wasm-kernels) give it its bytes.
 */
import { z } from "zod";
import type { Manifest } from "./bundle.ts";
import { agentId, epochId, modelName, sha256Hex } from "./ids.ts";

/** From knowing least to the worst; the order is the severity. */
export const driftVerdicts = ["insufficient", "none", "notice", "drift", "critical"] as const;
export type DriftVerdict = (typeof driftVerdicts)[number];

/** Fewer values than this tell nothing: the kernels' tests hold their size from here on. */
export const leastRowsToJudge = 50;

export interface DriftPolicy {
  /** Family-wise size of one window's tests. */
  readonly alpha: number;
  /** A window ends after so many rows, or so many seconds after its first one. */
  readonly windowRows: number;
  readonly windowSeconds: number;
  /** Observations to a false alarm, on average, of the sequential detector. */
  readonly arl: number;
  /** Shifts up to this are none that matter, in standard deviations of a bet's contrast; the reference's own uncertainty counts at least. */
  readonly deadZone: number;
  /** A window's p-value below it is a notice. */
  readonly notice: number;
  /** Least effect (KS distance; L∞ of shares for categories) at which an alarm is drift, and critical drift. */
  readonly drift: number;
  readonly critical: number;
  /** Whether critical drift hands the answers to the fallback ladder, or is told and no more. */
  readonly onCritical: "fallback" | "report";
}

/** The policy of a bundle; what an older one does not say has its default. */
export function driftPolicyOf({ drift }: Pick<Manifest, "drift">): DriftPolicy {
  return {
    alpha: drift.alpha,
    windowRows: drift.windowRows,
    windowSeconds: drift.windowSeconds ?? 3600,
    arl: drift.arl ?? 1e6,
    deadZone: drift.deadZone ?? 0.05,
    notice: drift.notice ?? drift.alpha,
    drift: drift.drift ?? 0,
    critical: drift.critical ?? 0.3,
    onCritical: drift.onCritical ?? "report",
  };
}

/** Longest snapshot, bytes: with its signature a message fits a packet. */
export const maxSnapshotBytes = 72 * 1024;

/** …/drift, upward: one window of one version on one device. Sent until …/dack answers it. */
export const driftWindow = z.object({
  model: modelName,
  digest: sha256Hex,
  /** Of the kernels that made the snapshot. */
  abi: z.int().min(1),
  window: z.object({
    /** Random, once for each state that began anew. */
    epoch: epochId,
    /** 0, 1, 2 … within the epoch. */
    n: z.int().min(0),
    /** UTC ms, by the device's clock corrected as far as it knew: of its first and last row. */
    from: z.number(),
    to: z.number(),
    rows: z.int().min(1),
  }),
  snapshot: z.base64().max(Math.ceil(maxSnapshotBytes / 3) * 4),
  /** What the device makes of it, by its own detector. A verdict of a newer agent is not known here: insufficient. */
  verdict: z.enum(driftVerdicts).catch("insufficient"),
  /** The feature that speaks loudest. */
  top: z.string().max(256).nullable(),
  /** ln of the device's own detector, all features and bets averaged; null before it says anything. */
  logE: z.number().nullable(),
});
export type DriftWindowMessage = z.infer<typeof driftWindow>;

/** …/dack, downward: the window is stored for good, or refused for good; either way the device may forget it. */
export const driftAck = z.object({
  digest: sha256Hex,
  epoch: epochId,
  n: z.int().min(0),
  refused: z.string().max(500).optional(),
});
export type DriftAck = z.infer<typeof driftAck>;

/** What a drift event is about. */
export const driftScope = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("device"), agent: agentId }),
  /** Devices that share the value of a label. */
  z.object({ kind: z.literal("cohort"), label: z.string(), value: z.string() }),
  z.object({ kind: z.literal("fleet") }),
]);
export type DriftScope = z.infer<typeof driftScope>;
