/** The part of the HTTP API that is about what came of predictions: labels, business metrics, performance, harm. */
import { z } from "zod";
import { agentId, labelName, modelName, parsePredictionId, sha256Hex } from "./ids.ts";

const count = z.int().min(0);
/** UTC: an ISO date or date-time, or ms since 1970 up to the year 9999, the last that an ISO date says. */
const moment = z.union([
  z.iso.datetime({ offset: true }),
  z.iso.date(),
  z
    .int()
    .min(0)
    .max(Date.UTC(9999, 11, 31, 23, 59, 59, 999)),
]);
const text = (most: number) => z.string().min(1).max(most);

/** Lines of one request at most; the commands cut longer files. */
export const maxLabelLines = 10_000;

/**
 * One line of POST /v1/labels. What it is about is said in one of three ways: a prediction's `id`; `model`, `entity` and `time`
 * (vedette_entity and vedette_time of the request); or `model` and `request` (a request of one row).
 */
export const labelLine = z
  .strictObject({
    id: text(256).optional(),
    model: modelName.optional(),
    entity: text(1024).optional(),
    time: moment.optional(),
    request: text(256).optional(),
    /** A class by its name or number; a number for a regression. */
    label: z.union([text(256), z.number(), z.boolean()]),
    /** When the truth was found. The newest holds; without it, what comes later. */
    at: moment.optional(),
  })
  .superRefine(({ id, model, entity, time, request }, check) => {
    const ways = [id, entity, request].filter((way) => way !== undefined).length;
    const wrong = (message: string) => check.addIssue({ code: "custom", message });
    if (ways !== 1)
      return wrong("say what it is a label of in one way: id, or model, entity and time, or model and request");
    if (id !== undefined && !parsePredictionId(id)) return wrong("id is no prediction's: device.model.epoch.number");
    if (id === undefined && model === undefined) return wrong("model is missing");
    if ((entity === undefined) !== (time === undefined)) wrong("entity and time go together");
  });
export type LabelLine = z.infer<typeof labelLine>;
/** POST /v1/labels: one, a JSON array, or NDJSON. Where one line does not fit, none is taken. */
export const labelLines = z.union([labelLine, z.array(labelLine).min(1).max(maxLabelLines)]);

export const labelsAnswer = z.object({
  lines: count,
  /** Told for the first time. */
  stored: count,
  /** Known already: nothing was done. */
  repeated: count,
  /** Another label than before: it holds now, and the former is kept with its time. */
  corrected: count,
  /** Older than the label that holds: kept, and nothing changed. */
  outdated: count,
  /** Of an entity that was erased: not kept. */
  erased: count,
  /** Labels that are none of the model's classes: counted as errors of the model. At most ten. */
  unknownClasses: z.array(z.string()),
});
export type LabelsAnswer = z.infer<typeof labelsAnswer>;

/** GET /v1/labels. */
export const labelStatus = z.object({
  models: z.array(
    z.object({
      model: modelName,
      labels: count,
      /** With a prediction that answered. */
      joined: count,
      /** Their prediction has not come (or is none that answered). */
      waiting: count,
      /** By a request of several rows: nobody knows which one is meant. */
      ambiguous: count,
      corrected: count,
      /** With an entity that was erased, and past the model's days: both are gone. */
      erased: count,
      removed: count,
      newest: z.iso.datetime().nullable(),
      /** Answers of the model in the lake, and those with a label. */
      predictions: count,
      labelled: count,
    }),
  ),
});
export type LabelStatus = z.infer<typeof labelStatus>;

/** One line of POST /v1/metrics: a number that the business counts, beside the model's own. */
export const metricLine = z.strictObject({
  /** Said twice, it counts once. */
  id: text(256).optional(),
  model: modelName,
  /** Else the version that the device, or the entity, was answered by last before `at`. */
  version: z.int().min(1).optional(),
  device: agentId.optional(),
  entity: text(1024).optional(),
  /** Id of the prediction that it came of: device, entity and version follow from it. */
  prediction: text(256)
    .refine((id) => parsePredictionId(id) !== undefined, "no prediction's id: device.model.epoch.number")
    .optional(),
  name: z.string().regex(/^[A-Za-z][A-Za-z0-9_.-]{0,63}$/, "a metric's name is 1-64 of A-Z a-z 0-9 _ . -"),
  /** One value whose square is no number would leave none for the mean of all of them. */
  value: z.number().min(-1e100).max(1e100),
  at: moment,
});
export type MetricLine = z.infer<typeof metricLine>;
/** POST /v1/metrics: one, a JSON array, or NDJSON. */
export const metricLines = z.union([metricLine, z.array(metricLine).min(1).max(maxLabelLines)]);
export const metricsAnswer = z.object({ lines: count, stored: count, repeated: count, erased: count });
export type MetricsAnswer = z.infer<typeof metricsAnswer>;
/** GET /v1/metrics. */
export const metricList = z.object({
  alpha: z.number(),
  metrics: z.array(
    z.object({
      model: modelName,
      name: z.string(),
      /** Null: no version is known that answered. */
      version: z.int().nullable(),
      n: count,
      mean: z.number(),
      /** Null where there are too few to tell. */
      interval: z.object({ low: z.number(), high: z.number() }).nullable(),
      first: z.iso.datetime(),
      last: z.iso.datetime(),
    }),
  ),
});
export type MetricList = z.infer<typeof metricList>;

/** `device`, `source`, `label:<key>` of the devices, or `field:<name>` of the inputs. */
export const sliceBy = z
  .string()
  .regex(
    new RegExp(`^(device|source|label:${labelName}|field:.{1,128})$`),
    "by is device, source, label:<key> or field:<name>",
  );
export const lossMeasures = ["absolute", "squared"] as const;
const number = z.coerce.number();
/** What is meant where nobody says otherwise. */
export const performanceDefaults = { alpha: 0.05, tolerance: 0.05, error: "absolute" } as const;
const common = {
  model: modelName,
  version: number.int().min(1).optional(),
  since: z.iso.datetime().optional(),
  /** Of intervals: they miss with at most this probability, however often one looks. */
  alpha: number.gt(0).max(0.5).default(performanceDefaults.alpha),
  /** Of a regression: an error of this and more counts as this. Where it is not said: ten times the training error. */
  scale: number.positive().optional(),
  error: z.enum(lossMeasures).default(performanceDefaults.error),
};
/** GET /v1/performance, in its query. */
export const performanceQuery = z.object({
  ...common,
  until: z.iso.datetime().optional(),
  by: sliceBy.optional(),
  /** Days of one line; all of it in one where it is not said. */
  everyDays: number.int().min(1).max(366).optional(),
});
export type PerformanceQuery = z.infer<typeof performanceQuery>;
export const performance = z.object({
  model: modelName,
  at: z.iso.datetime(),
  alpha: z.number(),
  by: z.string().nullable(),
  rows: z.array(
    z.object({
      version: z.int().nullable(),
      digest: sha256Hex.nullable(),
      /** Null: without one, as a device without the label. */
      slice: z.string().nullable(),
      /** UTC day that the line begins with; null where it is about all. */
      from: z.iso.date().nullable(),
      /** Answers of the model, by version, whether they have a label or not. */
      predictions: count,
      labelled: count,
      /** Labels of these that are no number where one is asked for. */
      unreadable: count,
      measure: z.enum(["accuracy", "absolute_error", "squared_error"]),
      /** Of an error: where it was cut off. */
      scale: z.number().nullable(),
      /** Null where nothing is labelled. */
      estimate: z.number().nullable(),
      interval: z.object({ low: z.number(), high: z.number() }).nullable(),
    }),
  ),
});
export type Performance = z.infer<typeof performance>;

/** GET /v1/performance/harm, in its query. */
export const harmQuery = z.object({
  ...common,
  since: z.iso.datetime(),
  /** Only of devices with this label, as `city=new-york`. */
  label: z
    .string()
    .regex(new RegExp(`^${labelName}=.{0,128}$`), "write a label as key=value")
    .optional(),
  /** How much more risk is no harm: share of wrong answers, or of the scale. */
  tolerance: number.min(0).max(1).default(performanceDefaults.tolerance),
});
export type HarmQuery = z.infer<typeof harmQuery>;
const risk = z.object({ n: count, mean: z.number().nullable(), low: z.number(), high: z.number() });
/** Risks are shares of wrong answers, or mean errors as shares of the scale. */
export const harm = z.object({
  model: modelName,
  version: z.int().nullable(),
  since: z.iso.datetime(),
  verdict: z.enum(["harmful", "benign", "unknown"]),
  /** In words: the numbers behind it, and what is missing. */
  why: z.string(),
  alpha: z.number(),
  tolerance: z.number(),
  scale: z.number().nullable(),
  now: risk,
  /** Null where nothing is known of the time before. */
  before: risk.extend({ from: z.enum(["earlier_labels", "training_data"]) }).nullable(),
  difference: z.object({ estimate: z.number(), low: z.number(), high: z.number() }).nullable(),
  moreLabels: count.nullable(),
});
export type Harm = z.infer<typeof harm>;
