/** The part of the HTTP API that is about records: counts, retention, erasure, export, sinks, backup. */
import { z } from "zod";
import { agentId, modelName, sha256Hex } from "./ids.ts";

const rows = z.int().min(0);

/** GET /v1/predictions/counts: where every prediction is that a device ever numbered. */
export const predictionCounts = z.object({
  at: z.iso.datetime(),
  models: z.array(
    z.object({
      model: modelName,
      /** All below: rows that are here, that were here, and that are missing or awaited. */
      numbered: rows,
      /** Rows of the lake and of what retention removed from it. */
      answered: z.array(
        z.object({
          /** Null: answered before there was a version. */
          version: z.int().nullable(),
          digest: sha256Hex.nullable(),
          source: z.string(),
          /** Why it was not the model; null where it was. */
          reason: z.string().nullable(),
          rows,
          /** Of these: known by no more than that they were answered. */
          erased: rows,
          /** Of these: not in the lake any more, by the model's retention. */
          removed: rows,
        }),
      ),
      /** Numbered, and never to come: by the version that a device said, where it did. */
      missing: z.array(z.object({ version: z.int().nullable(), reason: z.string(), rows })),
      /** Between batches that came out of order: may still come. */
      expected: rows,
    }),
  ),
  /** Batches of any model in devices' spools, as heartbeats said since the start; rows of them are in none of the above. */
  inSpools: z.object({ batches: rows, devices: z.int().min(0), asOf: z.iso.datetime().nullable() }),
});
export type PredictionCounts = z.infer<typeof predictionCounts>;

/** GET and PUT /v1/predictions/retention. Models that are not named keep their rows. */
export const retentionPolicies = z.object({
  policies: z.array(z.object({ model: modelName, days: z.int().min(1).max(36_500) })),
});
export const setRetention = z.object({ model: modelName, days: z.int().min(1).max(36_500).nullable() });

/** POST /v1/predictions/erasures. The entity is in the body, and nowhere else: not in a path, a log or the audit. */
export const eraseRequest = z.object({
  entity: z.string().min(1).max(1024),
  /** Every model where it is not said. */
  model: modelName.optional(),
  /** How long devices may take to be told. */
  ttlDays: z.int().min(1).max(3650).default(365),
});
export const erasure = z.object({
  id: z.string(),
  model: modelName.nullable(),
  requestedAt: z.iso.datetime(),
  expiresAt: z.iso.datetime(),
  /** When the lake's files were rid of it. */
  doneAt: z.iso.datetime().nullable(),
  rows,
  /** Erased from batches that came after the request. */
  lateRows: rows,
  devices: z.array(
    z.object({
      agent: agentId,
      state: z.enum(["pending", "done", "failed", "expired"]),
      rows: rows.nullable(),
      why: z.string().nullable(),
    }),
  ),
});
export type Erasure = z.infer<typeof erasure>;
/** GET /v1/predictions/erasures. */
export const erasureList = z.object({ erasures: z.array(erasure) });

export const exportFormats = ["cloudevents", "ndjson", "parquet"] as const;
/** POST /v1/predictions/export: answers a stream of the format. */
export const exportRequest = z.object({
  format: z.enum(exportFormats),
  model: modelName.optional(),
  since: z.iso.datetime().optional(),
  until: z.iso.datetime().optional(),
});
export type ExportRequest = z.infer<typeof exportRequest>;

export const sinkName = z.string().regex(/^[a-z0-9][a-z0-9-]{0,62}$/, "a sink's name is 1-63 of a-z 0-9 -");
/** POST /v1/sinks: CloudEvents in batches to an HTTP receiver, at least once. */
export const addSink = z.object({
  name: sinkName,
  url: z.url({ protocol: /^https?$/ }),
  model: modelName.optional(),
  /** From the first row that the lake has; else from now on. */
  fromStart: z.boolean().default(false),
  /** Sent as `Authorization: Bearer`; never shown again. */
  bearer: z
    .string()
    .regex(/^[\x21-\x7e]{1,4096}$/)
    .optional(),
});
export const sink = z.object({
  name: sinkName,
  url: z.string(),
  model: modelName.nullable(),
  /** Predictions delivered. */
  delivered: rows,
  /** Failures since the last delivery. */
  failures: rows,
  lastError: z.string().nullable(),
  lastDelivery: z.iso.datetime().nullable(),
});
export type SinkState = z.infer<typeof sink>;
/** GET /v1/sinks. */
export const sinkList = z.object({ sinks: z.array(sink) });

/** POST /v1/backup: answers a tar. Null: keys and the operator's token stay out. */
export const backupRequest = z.object({ passphrase: z.string().min(12).max(1024).nullable() });

/** POST /v1/predictions/verify. `values`: what the log policy withheld, by batch column (`in:temperature`, `entity`). */
export const verifyRequest = z.object({
  id: z.string().max(256),
  values: z.record(z.string(), z.union([z.string(), z.number(), z.null()])).optional(),
});
export const verified = z.object({
  id: z.string(),
  proven: z.boolean(),
  /** What is wrong, or what was proven. */
  why: z.string(),
  /** Whether the values given are those withheld; null where none were given. */
  inputs: z.boolean().nullable(),
  /** As the lake has it; null where the row was removed. */
  row: z.record(z.string(), z.union([z.string(), z.number(), z.boolean(), z.null()])).nullable(),
});
export type Verified = z.infer<typeof verified>;
