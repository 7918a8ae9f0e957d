/** The part of the HTTP API that is about models served elsewhere: what they are, and what they predicted. */
import { z } from "zod";
import { maxCategories } from "./bundle.ts";
import { modelName, sha256Hex } from "./ids.ts";

/** The id that predictions of watched models have in place of a device's: no device may be called so. */
export const watchAgent = "watch";
/** Longest body of POST /v1/watch/{model}, bytes. */
export const maxWatchBytes = 8 * 1024 * 1024;
/** Rows that one event may carry. */
export const maxEventRows = 10_000;
/** Input values of one request to POST /v1/watch/{model}, one for each row and field: what is missing counts, too. */
export const maxWatchValues = 1_000_000;

/** A name that becomes one of a column: of the log's frames, and of the lake. */
const columnName = z
  .string()
  .min(1)
  .max(256)
  .refine((name) => name.isWellFormed() && !/\p{Cc}/u.test(name), "a name has no control characters");

const watchedField = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("number"), name: columnName }),
  z.object({
    kind: z.literal("category"),
    name: columnName,
    categories: z.array(z.string().max(1024)).max(maxCategories),
  }),
]);
export type WatchedField = z.infer<typeof watchedField>;

/** What a watched model is asked and answers. */
export const watchSpec = z.object({
  /** In the order in which a row without names has them. */
  fields: z
    .array(watchedField)
    .min(1)
    .max(900)
    .refine((fields) => new Set(fields.map(({ name }) => name)).size === fields.length, "no two fields of one name"),
  /** What an answer is; `unknown`: numbers are values, texts are labels. */
  task: z.enum(["classification", "regression", "unknown"]),
  /** In the order of the scores. */
  classes: z
    .array(columnName)
    .max(100)
    .refine((classes) => new Set(classes).size === classes.length, "no two classes of one name"),
  drift: z.object({
    /** Rows that drift is judged over. */
    windowRows: z.int().min(50).max(1_000_000),
    alpha: z.number().gt(0).lt(1),
  }),
});
export type WatchSpec = z.infer<typeof watchSpec>;

/** POST /v1/watches: by a published version of the model, or by what the caller made of reference data. */
export const addWatch = z.union([
  z.strictObject({ model: modelName, version: z.int().min(1) }),
  z.strictObject({
    model: modelName,
    spec: watchSpec,
    /** The drift reference, as the kernels built it. */
    reference: z.base64().max(4 * 1024 * 1024),
  }),
]);

const verdict = z.enum(["insufficient", "none", "drift"]);
export const watch = z.object({
  model: modelName,
  /** The published version that it is watched as; null where it is by reference data. */
  version: z.int().nullable(),
  digest: sha256Hex.nullable(),
  fields: z.array(z.string()),
  since: z.iso.datetime(),
  createdBy: z.string(),
  /** Predictions taken. */
  predictions: z.int(),
  lastAt: z.iso.datetime().nullable(),
  /** Events of which one half came, and the other may. */
  waiting: z.int(),
  /** Events that did not fit, since it is watched; and why the last one did not. */
  refused: z.int(),
  lastRefusal: z.string().nullable(),
  /** Of the last full window; null before there is one. */
  drift: z
    .object({
      at: z.iso.datetime(),
      rows: z.int(),
      verdict,
      fields: z.array(
        z.object({
          name: z.string(),
          missing: z.int(),
          psi: z.number(),
          ksLow: z.number(),
          ksHigh: z.number(),
          verdict,
        }),
      ),
    })
    .nullable(),
});
export type Watch = z.infer<typeof watch>;
/** GET /v1/watches. */
export const watchList = z.object({ watches: z.array(watch) });

/** POST /v1/watch/{model} is answered so: 200 where anything was taken or known, 400 where nothing was. */
export const watchAnswer = z.object({
  /** Events or rows that are kept from now on. */
  accepted: z.int(),
  /** Known by their ids, and not taken again. */
  repeated: z.int(),
  refused: z.array(z.object({ id: z.string().nullable(), why: z.string() })),
});
export type WatchAnswer = z.infer<typeof watchAnswer>;

const value = z.union([z.number(), z.string().max(1024), z.boolean(), z.null()]);
/** A line of application/x-ndjson: one prediction. */
export const watchRow = z.object({
  /** Of the prediction: taken once. */
  id: z.string().min(1).max(256),
  time: z.iso.datetime({ offset: true }).optional(),
  entity: z.string().max(1024).optional(),
  /** By field, or in the order of the fields. */
  inputs: z.union([z.record(z.string(), value), z.array(value)]).optional(),
  label: z.union([z.string().max(256), z.number(), z.boolean()]).optional(),
  value: z.number().optional(),
  /** By class. */
  scores: z.record(z.string().max(256), z.number()).optional(),
  latencyMs: z.number().min(0).optional(),
});
