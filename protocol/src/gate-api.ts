/**
 * The gate: what the control plane found out about a version itself, signed by its gate key, before any rollout may take it.
 * A report and an override are signed texts (signed.ts) of types `gate-report` and `gate-override`, RFC 8785 when written.
 */
import canonicalize from "canonicalize";
import { z } from "zod";
import { reason } from "./audit.ts";
import { VedetteError } from "./errors.ts";
import { modelName, sha256Hex, siteId } from "./ids.ts";
import { signedText } from "./signed.ts";

export const gateCheck = z.object({
  /** `manifest`, `signature`, `golden.node-cpu`, `golden.wasm`, `latency.…`, `memory.…`, `accuracy`; readers expect others. */
  name: z.string().min(1).max(64),
  /** null: it could not be measured or was not asked for, and `why` says which; it fails nothing. */
  passed: z.boolean().nullable(),
  measured: z.number().nullable(),
  /** What `measured` is held against; null where there is no limit. */
  limit: z.number().nullable(),
  /** Of both, for people: `ms`, `bytes`, `share`, `of loss`. */
  unit: z.string().max(32).nullable(),
  /** For people. */
  why: z.string().max(2000),
});
export type GateCheck = z.infer<typeof gateCheck>;

const about = { site: siteId, model: modelName, version: z.int().min(1), digest: sha256Hex, at: z.iso.datetime() };

export const gateReport = z.object({
  format: z.literal("vedette.gate-report/1"),
  ...about,
  /** What it was held against: the version that the standing rules give most devices; null where they give none another. */
  champion: z.object({ version: z.int().min(1), digest: sha256Hex }).nullable(),
  checks: z.array(gateCheck).min(1).max(64),
});
export type GateReport = z.infer<typeof gateReport>;

export const gateOverride = z.object({
  format: z.literal("vedette.gate-override/1"),
  ...about,
  /** Failed checks that it lets pass; one that fails later and is not among them holds the version again. */
  checks: z.array(z.string()).min(1),
  by: z.string(),
  reason: z.string(),
  expiresAt: z.iso.datetime(),
  /** It was taken back, at its own moment and for its own reason: nothing is let pass. */
  withdrawn: z.literal(true).optional(),
});
export type GateOverride = z.infer<typeof gateOverride>;

/** RFC 8785: the payload that is signed. */
export function encodeGate(document: GateReport | GateOverride): string {
  const text = canonicalize(document);
  if (text === undefined) throw new VedetteError("internal", "the gate's document has no canonical form");
  return text;
}

/** Longest that an override may hold. */
export const longestOverrideMs = 30 * 86_400_000;

export const gateStates = ["passed", "failed", "overridden", "missing"] as const;
/** GET /v1/models/{model}/versions/{version}/gate. */
export const gateState = z.object({
  model: modelName,
  version: z.int(),
  digest: sha256Hex,
  /** `overridden`: failed, and let pass until `override.expiresAt`. `missing`: no report, none that its signature proves, or none that can be read. */
  state: z.enum(gateStates),
  why: z.string(),
  report: gateReport.nullable(),
  /** The report as it was signed: for whoever verifies it by `key`. */
  signed: signedText.nullable(),
  /** The last one, in force or not. */
  override: gateOverride.nullable(),
  /** Public key of the gate, Ed25519, hex. */
  key: z.string(),
});
export type GateState = z.infer<typeof gateState>;

/** POST /v1/models/{model}/versions/{version}/gate/override. */
export const overrideGate = z.strictObject({
  reason,
  /** At most 30 days from now. */
  expiresAt: z.iso.datetime(),
});

/** POST /v1/models/{model}/versions/{version}/gate/override/withdrawal. */
export const withdrawOverride = z.strictObject({ reason });

/** Bytes of labelled rows that a version may bring. */
export const maxEvaluationBytes = 8 * 1024 * 1024;
/** Most rows of them: enough to tell a hundredth. */
export const maxEvaluationRows = 20_000;

/**
 * PUT /v1/evaluations/{sha256}: labelled rows that were held out of training. Kept by the control plane for its gate alone, and
 * named by `lineage.evaluation.sha256`; devices have no way to them.
 */
export const evaluationRows = z
  .object({
    format: z.literal("vedette.evaluation/1"),
    fields: z.array(z.string()).min(1).max(4096),
    /** [n][fields]; null is missing. */
    rows: z
      .array(z.array(z.union([z.number(), z.string(), z.null()])))
      .min(1)
      .max(maxEvaluationRows),
    /** [n]: a class's name, or a number as text. */
    labels: z.array(z.string()),
  })
  .refine(
    ({ fields, rows, labels }) => labels.length === rows.length && rows.every((row) => row.length === fields.length),
    {
      message: "every row has a label and a value for each field",
    },
  );
export type EvaluationRows = z.infer<typeof evaluationRows>;
/** As a version's lineage names them. */
export const evaluationLineage = z.object({ file: z.string(), sha256: sha256Hex, rows: z.int().min(1) });
