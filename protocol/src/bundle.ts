/**
 * The bundle: a model and all that decides its behaviour, named file by file. The manifest is hashed and stored as bytes
 * (RFC 8785 when built) and is never serialised again to be verified; its sha256 is the version's identity.
 */
import canonicalize from "canonicalize";
import { z } from "zod";
import { utf8 } from "./bytes.ts";
import { currentCapability, requirements } from "./capability.ts";
import { VedetteError } from "./errors.ts";
import { modelName, sha256Hex } from "./ids.ts";
import { logPolicy, needsRules, wrongPolicy } from "./log-policy.ts";
import { maxColumns, standardColumns } from "./prediction-batch.ts";
import { rules } from "./rules.ts";
import { datatype, tensorSpec } from "./tensors.ts";

export const bundleFormat = "vedette.bundle/1";
/** Longest chunk, bytes: with its topic it fits a packet. Where a file is cut is the publisher's; readers follow the list. */
export const maxChunkBytes = 110 * 1024;
/** Longest manifest anyone reads, in bytes. */
export const maxManifestBytes = 1024 * 1024;

const chunk = z.object({
  sha256: sha256Hex,
  length: z.int().min(1).max(maxChunkBytes),
});
export const bundleFile = z
  .object({
    /** A plain file name: no folders, so that none can point outside. */
    path: z.string().regex(/^[A-Za-z0-9][A-Za-z0-9._-]{0,127}$/),
    sha256: sha256Hex,
    size: z.int().min(0),
    chunks: z.array(chunk),
  })
  .refine((file) => file.chunks.reduce((sum, part) => sum + part.length, 0) === file.size, {
    message: "the chunks of a file add up to its size",
  });
export type BundleFile = z.infer<typeof bundleFile>;

const outOfRange = z.enum(["count", "refuse"]);
const columnField = {
  name: z.string().min(1).max(256),
  tensor: z.string(),
  column: z.int().min(0),
  required: z.boolean(),
  /** Values outside what the data showed only count; `refuse` falls back. */
  outOfRange,
};
/** Of one row of a raw tensor. */
export const statistics = ["mean", "std", "min", "max"] as const;
/** Most categories of a field that a manifest names. */
export const maxCategories = 1024;

/** One value of a row: column `column` of input tensor `tensor`, or what is told of a row of a raw tensor. */
export const inputField = z.discriminatedUnion("kind", [
  z.object({ kind: z.literal("number"), ...columnField, min: z.number().optional(), max: z.number().optional() }),
  /** A text (BYTES). In rows it is its place in `categories`, or their count where it is none of them. */
  z.object({ kind: z.literal("category"), ...columnField, categories: z.array(z.string()).max(maxCategories) }),
  /** A tensor with no field of another kind is raw (an image, a sequence): watched and logged by its summaries only. */
  z.object({
    kind: z.literal("summary"),
    name: columnField.name,
    tensor: z.string(),
    statistic: z.enum(statistics),
    required: z.literal(true),
    min: z.number().optional(),
    max: z.number().optional(),
    outOfRange,
  }),
]);
export type InputField = z.infer<typeof inputField>;

export const outputSchema = z.discriminatedUnion("task", [
  z.object({
    task: z.literal("classification"),
    classes: z.array(z.string()).min(2).max(4096),
    /** Tensor [n, classes] (or [n] / [n, 1] for two classes with `sigmoid`) and how it becomes probabilities. */
    scores: z.object({ tensor: z.string(), activation: z.enum(["none", "softmax", "sigmoid"]) }),
    /** Tensor [n] with the predicted class itself, where the graph has one. */
    label: z.object({ tensor: z.string() }).optional(),
    tensors: z.array(tensorSpec).min(1),
  }),
  z.object({
    task: z.literal("regression"),
    value: z.object({ tensor: z.string() }),
    unit: z.string().optional(),
    tensors: z.array(tensorSpec).min(1),
  }),
  /** The graph's outputs as they are (embeddings, boxes, several values): no label, value or confidence is read of them. */
  z.object({ task: z.literal("tensor"), tensors: z.array(tensorSpec).min(1) }),
]);
export type OutputSchema = z.infer<typeof outputSchema>;

/** Which reference, and what is made of it; drift.ts tells what each means and what it is where it is not said. */
export const driftPolicy = z.object({
  file: z.string(),
  alpha: z.number().gt(0).lt(1),
  windowRows: z.int().min(50),
  windowSeconds: z
    .int()
    .min(1)
    .max(31 * 86_400)
    .optional(),
  arl: z.number().min(100).max(1e9).optional(),
  deadZone: z.number().min(0).max(1).optional(),
  notice: z.number().gt(0).lt(1).optional(),
  drift: z.number().min(0).max(1).optional(),
  critical: z.number().min(0).max(1).optional(),
  onCritical: z.enum(["fallback", "report"]).optional(),
  /** By feature, where it has more categories than bins: the places of those that have one. */
  known: z.record(z.string(), z.array(z.int().min(0)).max(126)).optional(),
});

/** What readers of this version understand when it is named in `critical`. */
const understood: readonly string[] = ["log"];

/** What is read before all else, so that an older reader says "update this agent" of a bundle it could not read. */
const envelope = z.object({
  format: z.string(),
  critical: z.array(z.string()).default([]),
  requires: z.object({ capability: z.int() }),
});

export const manifest = z
  .object({
    format: z.literal(bundleFormat),
    /** Top-level fields a reader must understand or refuse the bundle; all other unknown fields are ignored. */
    critical: z.array(z.string()).default([]),
    model: modelName,
    createdAt: z.iso.datetime(),
    files: z.array(bundleFile).min(1).max(64),
    /** The graph's own signature. */
    runtime: z.object({ file: z.string(), inputs: z.array(tensorSpec).min(1), outputs: z.array(tensorSpec).min(1) }),
    /** Identity: the request's tensors are the graph's. Its hash pins the transform that training used. */
    features: z.object({ plan: z.literal("identity"), hash: sha256Hex }),
    /** What the Open Inference Protocol shows: the signature before the feature plan. */
    input: z.object({ fields: z.array(inputField).min(1).max(4096), tensors: z.array(tensorSpec).min(1) }),
    output: outputSchema,
    drift: driftPolicy,
    fallback: z.object({
      /** The last answer for the same entity, if it is no older than this. */
      cache: z.object({ maxAgeMs: z.int().min(0) }).nullable(),
      rules: rules.nullable(),
      confidenceFloor: z.number().min(0).max(1).nullable(),
    }),
    golden: z.object({ file: z.string() }),
    limits: z.object({ latencyMs: z.number().positive(), memoryBytes: z.int().positive() }),
    /** After this moment the model is stale and the ladder answers; null: never. */
    freshUntil: z.iso.datetime().nullable(),
    requires: requirements,
    /** What leaves the device with a prediction. Rules stand in `critical`: an older reader would log all. */
    log: logPolicy,
    lineage: z.record(z.string(), z.json()),
  })
  .superRefine((value, check) => {
    const unique = (names: readonly string[], path: string[], what: string) => {
      const twice = names.find((name, i) => names.indexOf(name) !== i);
      if (twice !== undefined) check.addIssue({ code: "custom", path, message: `${what} ${twice} stands twice` });
    };
    const paths = value.files.map((file) => file.path);
    unique(paths, ["files"], "path");
    unique(
      value.input.fields.map((field) => field.name),
      ["input", "fields"],
      "field",
    );
    for (const field of ["runtime", "drift", "golden"] as const) {
      const { file } = value[field];
      if (!paths.includes(file))
        check.addIssue({ code: "custom", path: [field, "file"], message: `${file} is not among the files` });
    }
    const names = value.input.fields.map((field) => field.name);
    const wrong = wrongPolicy(value.log, names);
    if (wrong !== undefined) check.addIssue({ code: "custom", path: ["log"], message: wrong });
    if (needsRules(value.log) && !value.critical.includes("log")) {
      const message = "log has rules that an older reader would not keep: name it in critical";
      check.addIssue({ code: "custom", path: ["critical"], message });
    }
    for (const field of value.input.fields) {
      if (field.kind === "category") unique(field.categories, ["input", "fields"], `category of ${field.name}`);
    }
    const classes = value.output.task === "classification" ? value.output.classes : [];
    unique(classes, ["output", "classes"], "class");
    const columns = standardColumns.length + value.input.fields.length + classes.length + 2;
    if (columns > maxColumns) {
      const message = `a prediction would be logged in ${columns} columns, over ${maxColumns}: fewer inputs or classes`;
      check.addIssue({ code: "custom", path: ["input", "fields"], message });
    }
  });
export type Manifest = z.infer<typeof manifest>;

/** Golden vectors: what the model answered where it was published. [n][fields] → graph outputs, flat, row-major. */
export const goldenVectors = z.object({
  /** A category as its text; null is missing, and what a summary of a raw tensor is made from is in `tensors`. */
  rows: z
    .array(z.array(z.union([z.number(), z.string(), z.null()])))
    .min(1)
    .max(256),
  /** Raw tensors [n, …] by name: little-endian bytes. */
  tensors: z.record(z.string(), z.object({ datatype, shape: z.array(z.int().min(0)), data: z.base64() })).optional(),
  outputs: z.record(z.string(), z.array(z.union([z.number(), z.string()]))),
  /** |got − want| ≤ absolute + relative·|want|, for each backend. Class labels must be equal. */
  tolerance: z.record(z.string(), z.object({ absolute: z.number(), relative: z.number() })),
});
export type GoldenVectors = z.infer<typeof goldenVectors>;

/** The manifest's bytes, whose sha256 is the version's digest. */
export function encodeManifest(value: Manifest): Uint8Array<ArrayBuffer> {
  const text = canonicalize(manifest.parse(value));
  if (text === undefined) throw new VedetteError("internal", "the manifest has no canonical form");
  return utf8(text);
}

/**
 * @throws VedetteError unsupported where the bundle needs a newer reader, invalid_manifest: what is wrong, and where in it.
 */
export function parseManifest(text: string): Manifest {
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw new VedetteError("invalid_manifest", "the manifest is not JSON: publish the model again", { cause });
  }
  const { format, critical, requires } = parse(envelope, json);
  const foreign = critical.filter((field) => !understood.includes(field));
  if (format !== bundleFormat) foreign.push(`format ${format}`);
  if (requires.capability > currentCapability) foreign.push(`capability ${requires.capability}`);
  if (foreign.length > 0) {
    throw new VedetteError("unsupported", `the bundle needs ${foreign.join(", ")}, unknown here: update this agent`);
  }
  return parse(manifest, json);
}

function parse<T extends z.ZodType>(schema: T, json: unknown): z.infer<T> {
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  const where = parsed.error.issues.map((issue) => `${issue.path.join(".") || "(root)"}: ${issue.message}`);
  throw new VedetteError("invalid_manifest", `the manifest does not fit its schema: ${where.slice(0, 5).join("; ")}`);
}
