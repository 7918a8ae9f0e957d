/** Names and numbers by which things are known. All are safe as one level of an MQTT topic and as a file name. */
import { z } from "zod";

export const siteId = z.string().regex(/^[a-z0-9][a-z0-9-]{0,31}$/, "a site is 1-32 of a-z 0-9 -");
export const agentId = z.string().regex(/^[A-Za-z0-9][A-Za-z0-9_-]{0,63}$/, "a device is 1-64 of A-Z a-z 0-9 _ -");
export const modelName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "a model name is 1-63 of a-z 0-9 -");
/** sha256, lower-case hex. */
export const sha256Hex = z.string().regex(/^[0-9a-f]{64}$/, "a sha256 is 64 hex digits");
/** Random, once for each spool (not each boot): 8 bytes of hex. */
export const epochId = z.string().regex(/^[0-9a-f]{16}$/, "an epoch is 16 hex digits");
/** How a device's label is called, as part of a pattern: without `=`, so that `name=value` is read in one way. */
export const labelName = "[A-Za-z0-9_.-]{1,63}";
export const labels = z.record(z.string().regex(new RegExp(`^${labelName}$`)), z.string().max(128));

/** Where an answer came from. Order is the wire encoding: only append. */
export const sources = ["model", "cache", "rule", "none"] as const;
export type Source = (typeof sources)[number];

/**
 * Why an answer did not come from the model; `null` where it did. Order is the wire encoding: only append.
 * `self_test_failed` has no producer yet: its number is taken.
 */
export const fallbackReasons = [
  "no_model",
  "self_test_failed",
  "exception",
  "latency_budget",
  "out_of_range",
  "low_confidence",
  "drift_critical",
  "stale_model",
] as const;
export type FallbackReason = (typeof fallbackReasons)[number];

export interface PredictionIdParts {
  readonly agent: string;
  /** The model's name: one stream a model on each agent. */
  readonly stream: string;
  readonly epoch: string;
  /** 0, 1, 2 … without holes within an epoch. */
  readonly n: number;
}

/** `agent.stream.epoch.n`. */
export function formatPredictionId(parts: PredictionIdParts): string {
  return `${parts.agent}.${parts.stream}.${parts.epoch}.${parts.n}`;
}

/** The parts of a prediction id, or undefined where the text is none. */
export function parsePredictionId(text: string): PredictionIdParts | undefined {
  const [agent, stream, epoch, n, ...rest] = text.split(".");
  if (rest.length > 0 || n === undefined || !/^(0|[1-9][0-9]{0,15})$/.test(n)) return undefined;
  const parsed = z.object({ agent: agentId, stream: modelName, epoch: epochId }).safeParse({ agent, stream, epoch });
  return parsed.success ? { ...parsed.data, n: Number(n) } : undefined;
}
