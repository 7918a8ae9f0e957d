/**
 * From a model, a CSV of reference data and a few words of the operator to a bundle: the manifest's bytes and its blobs.
 * Reads two files; talks to onnxruntime in another process (graph-apart.ts), DuckDB (csv-table.ts) and the drift kernels; sends nothing.
 */
import { readFile } from "node:fs/promises";
import { basename } from "node:path";
import {
  bundleFormat,
  encodeManifest,
  type InputField,
  type Manifest,
  maxManifestBytes,
  type OutputSchema,
} from "@vedette/protocol/bundle";
import { utf8 } from "@vedette/protocol/bytes";
import { currentCapability } from "@vedette/protocol/capability";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { identityPlanHash } from "@vedette/protocol/feature-plan";
import { type LogPolicy, needsRules, wrongPolicy } from "@vedette/protocol/log-policy";
import { checkRules } from "./check-rules.ts";
import { chooseFields, type FieldPlace } from "./choose-fields.ts";
import { chunkFile, sha256 } from "./chunk-file.ts";
import { type CsvTable, readCsv } from "./csv-table.ts";
import { answerAll, measureLatency, pick, spread } from "./evaluate.ts";
import { chooseGolden } from "./golden.ts";
import type { Graph } from "./graph.ts";
import { openGraphApart } from "./graph-apart.ts";
import { copesWithMissing, inputField, settled } from "./input-schema.ts";
import { defaultLatencyMs } from "./latency.ts";
import { inferOutput } from "./output-schema.ts";
import { type TrainingMetrics, trainingMetrics } from "./training-metrics.ts";

/** What an operator says about a model. */
export interface ModelDescription {
  readonly name: string;
  readonly modelFile: string;
  readonly referenceFile: string;
  readonly label?: string | undefined;
  readonly features?: readonly string[] | undefined;
  readonly classes?: readonly string[] | undefined;
  /** Parsed JSON of the rules file. */
  readonly rules?: unknown;
  readonly confidenceFloor?: number | undefined;
  readonly cacheAgeMs?: number | undefined;
  readonly latencyMs?: number | undefined;
  /** ISO date-time. */
  readonly freshUntil?: string | undefined;
  /** When the model was trained, as ISO date-time; files do not say. */
  readonly trainedAt?: string | undefined;
  /** Rows, 50 or more. */
  readonly driftWindow?: number | undefined;
  readonly logInputs: "full" | "none";
  /** Rules beyond that, as `--log` gives them. */
  readonly log?: Omit<LogPolicy, "inputs" | "salt"> & { readonly inputs?: LogPolicy["inputs"] };
}

/** wasm-kernels, as far as publishing needs it. */
interface ReferenceKernels {
  readonly abi: number;
  /** @param rows [n][names.length], NaN = missing. */
  buildReference(names: string[], rows: Float32Array): Uint8Array;
}
export interface BuildPorts {
  readonly kernels: ReferenceKernels;
  /** UTC ms. */
  now(): number;
  /** ms that never go backwards. */
  monotonic(): number;
}

export interface Bundle {
  readonly manifest: Manifest;
  /** The manifest as it is hashed, signed and sent. */
  readonly text: string;
  readonly digest: string;
  readonly blobs: ReadonlyMap<string, Uint8Array<ArrayBuffer>>;
  readonly metrics: TrainingMetrics | undefined;
  /** What the operator may want to know, in whole sentences. */
  readonly notes: readonly string[];
}
export interface BundleSources {
  readonly model: Uint8Array<ArrayBuffer>;
  readonly modelSha256: string;
  readonly referenceSha256: string;
  /** Equal for equal sources and words: what makes publishing twice a no-op. */
  readonly recipe: string;
}

/** The answers to so many rows, evenly spread, are enough to learn what the outputs mean. */
const mostEvaluated = 100_000;
const memoryFloor = 256 * 1024 * 1024;

/** @throws VedetteError not_found where a file cannot be read. */
export async function readSources(what: ModelDescription, kernelAbi: number): Promise<BundleSources> {
  const [model, reference] = await Promise.all([
    readOrFail(what.modelFile, "model"),
    readOrFail(what.referenceFile, "reference data"),
  ]);
  refuseSwapped(what, model, reference);
  const modelSha256 = sha256(model);
  const referenceSha256 = sha256(reference);
  const said = [
    [bundleFormat, currentCapability, kernelAbi, modelSha256, referenceSha256, what.name],
    [what.label, what.features, what.classes, what.rules],
    [what.confidenceFloor, what.cacheAgeMs, what.latencyMs, what.freshUntil, what.driftWindow, what.logInputs],
    what.trainedAt,
    ...(what.log ? [what.log] : []),
  ];
  return { model, modelSha256, referenceSha256, recipe: sha256(JSON.stringify(said)) };
}

/**
 * @throws VedetteError invalid_model, invalid_csv, invalid_rules, invalid_argument, unsupported: what is wrong, where,
 * and what to do.
 */
export async function buildBundle(what: ModelDescription, sources: BundleSources, ports: BuildPorts): Promise<Bundle> {
  const graph = await openGraphApart(sources.model);
  try {
    const table = await readCsv(what.referenceFile);
    try {
      return await assemble(what, sources, ports, graph, table);
    } finally {
      table.close();
    }
  } finally {
    await graph.release();
  }
}

async function assemble(
  what: ModelDescription,
  sources: BundleSources,
  ports: BuildPorts,
  graph: Graph,
  table: CsvTable,
): Promise<Bundle> {
  const places = chooseFields(graph.inputs, { columns: table.columns, features: what.features, label: what.label });
  const width = places.length;
  const rows = await readRows(table, places);
  const sample = spread(table.rows, mostEvaluated);
  const sampled = pick(rows, width, sample);
  const labels = await readLabels(table, what.label, sample);

  const answers = await answerAll(graph, sampled, sample.length, places);
  const output = inferOutput({
    declared: graph.outputs,
    answers,
    rows: sample.length,
    classes: what.classes,
    labels,
  });
  const copes = copesWithMissing(sampled, sample.length, width, answers);
  const golden = chooseGolden(sampled, sample.length, width, answers, output);
  if (!golden)
    throw new VedetteError("invalid_model", "no reference row has a clear answer: the model tells no classes apart");
  const fields = places.map((place, i) => inputField(place, rows, width, i, graph.inputs, copes));
  const names = fields.map((field) => field.name);
  const ladder = what.rules === undefined ? null : checkRules(what.rules, names, output);
  const metrics = labels && trainingMetrics(output, answers, labels.texts);
  const latency = await measureLatency(graph, sampled.subarray(0, width), places, ports.monotonic);

  const log = logOf(what, sources.recipe);
  const wrong = wrongPolicy(log, names);
  if (wrong !== undefined) throw new VedetteError("invalid_argument", `--log: ${wrong}`);
  const files = [
    chunkFile("model.onnx", sources.model),
    chunkFile("drift-reference.bin", driftReference(ports.kernels, names, rows)),
    chunkFile("golden.json", utf8(JSON.stringify(golden))),
  ];
  const inputs = graph.inputs.map((input) => settled(input, places));
  const manifest: Manifest = {
    format: bundleFormat,
    critical: needsRules(log) ? ["log"] : [],
    model: what.name,
    createdAt: new Date(ports.now()).toISOString(),
    files: files.map(({ file }) => file),
    runtime: { file: "model.onnx", inputs, outputs: output.tensors },
    features: { plan: "identity", hash: identityPlanHash },
    input: { fields, tensors: inputs },
    output,
    drift: { file: "drift-reference.bin", alpha: 0.001, windowRows: what.driftWindow ?? windowRows(table.rows) },
    fallback: {
      cache: what.cacheAgeMs === undefined ? null : { maxAgeMs: what.cacheAgeMs },
      rules: ladder,
      confidenceFloor: what.confidenceFloor ?? null,
    },
    golden: { file: "golden.json" },
    limits: {
      latencyMs: what.latencyMs ?? defaultLatencyMs(latency),
      memoryBytes: memoryFloor + 8 * sources.model.length,
    },
    freshUntil: what.freshUntil ?? null,
    requires: {
      capability: currentCapability,
      opset: graph.opset,
      kernelAbi: ports.kernels.abi,
      backends: ["node-cpu", "wasm"],
    },
    log,
    lineage: {
      recipe: sources.recipe,
      model: { file: basename(what.modelFile), sha256: sources.modelSha256, bytes: sources.model.length },
      reference: { file: basename(what.referenceFile), sha256: sources.referenceSha256, rows: table.rows },
      ...(what.label === undefined ? {} : { label: what.label }),
      ...(what.trainedAt === undefined ? {} : { trainedAt: what.trainedAt }),
      ...(metrics ? { trainingData: { ...metrics } } : {}),
    },
  };
  const bytes = encodeManifest(manifest);
  if (bytes.length > maxManifestBytes) {
    throw new VedetteError(
      "too_large",
      `the manifest takes ${bytes.length} bytes, over ${maxManifestBytes}: the model is too large`,
    );
  }
  return {
    manifest,
    text: new TextDecoder().decode(bytes),
    digest: sha256(bytes),
    blobs: new Map(files.flatMap(({ blobs }) => [...blobs])),
    metrics,
    notes: notesOn(output, fields, copes, table.rows),
  };
}

/** The salt follows from what is published, so that publishing twice is a no-op; whoever has the manifest knows it. */
function logOf(what: ModelDescription, recipe: string): LogPolicy {
  const log: LogPolicy = { inputs: what.logInputs, ...what.log };
  const rules = [log.inputs, log.entity, log.request, log.outputs, ...Object.values(log.fields ?? {})];
  const hashes = rules.some((rule) => typeof rule === "object" && rule.mode === "hashed");
  return hashes ? { ...log, salt: sha256(utf8(`salt/${recipe}`)).slice(0, 32) } : log;
}

function driftReference(kernels: ReferenceKernels, names: string[], rows: Float64Array): Uint8Array<ArrayBuffer> {
  try {
    return Uint8Array.from(kernels.buildReference(names, Float32Array.from(rows)));
  } catch (cause) {
    throw new VedetteError("invalid_csv", `no drift reference can be made of the data: ${messageOf(cause)}`, { cause });
  }
}

async function readRows(table: CsvTable, places: readonly FieldPlace[]): Promise<Float64Array> {
  const rows = new Float64Array(table.rows * places.length);
  for (const [i, { name }] of places.entries()) {
    if (!table.columns.some((column) => column.name === name && column.numeric)) {
      throw new VedetteError(
        "invalid_csv",
        `column "${name}" of ${table.path} holds no numbers, and the model takes numbers`,
      );
    }
    const values = await table.numbers(name);
    values.forEach((value, row) => {
      rows[row * places.length + i] = value;
    });
  }
  return rows;
}

async function readLabels(
  table: CsvTable,
  label: string | undefined,
  sample: readonly number[],
): Promise<{ texts: (string | null)[]; numeric: boolean } | undefined> {
  if (label === undefined) return undefined;
  const all = await table.texts(label);
  const numeric = table.columns.some((column) => column.name === label && column.numeric);
  return { texts: sample.map((row) => all[row] ?? null), numeric };
}

/** A tenth of the reference at most, so that the reference may be taken for the truth; 50 is the least a test can judge. */
function windowRows(rows: number): number {
  return Math.min(256, Math.max(50, Math.floor(rows / 10)));
}

function notesOn(output: OutputSchema, fields: readonly InputField[], copes: boolean, rows: number): string[] {
  const notes: string[] = [];
  if (!copes) notes.push("The model answers NaN where a value is missing, so every field is required.");
  if (rows < 500)
    notes.push(`Only ${rows} rows of reference data: drift verdicts will be slow to come. 1,000 or more are better.`);
  const constant = fields.filter((field) => field.min === field.max).map((field) => field.name);
  if (constant.length > 0)
    notes.push(`${constant.join(", ")} never varies in the reference data: any other value will look like drift.`);
  if (output.task === "regression")
    notes.push("Published as a regression; name --classes if the one output is a class's logit.");
  return notes;
}

/** Both are files given by name, and easily confused: a CSV holds no NUL, and no ONNX model is text throughout. */
function refuseSwapped(what: ModelDescription, model: Uint8Array, reference: Uint8Array): void {
  if (reference.subarray(0, 65_536).includes(0)) {
    throw new VedetteError(
      "invalid_csv",
      `--reference ${what.referenceFile} is a binary file and no CSV: are --model and --reference swapped?`,
    );
  }
  const text = (byte: number) => byte >= 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0d;
  if (model.length > 0 && model.subarray(0, 65_536).every(text)) {
    throw new VedetteError(
      "invalid_model",
      `--model ${what.modelFile} is text and no ONNX model: are --model and --reference swapped?`,
    );
  }
}

async function readOrFail(path: string, what: string): Promise<Uint8Array<ArrayBuffer>> {
  try {
    return new Uint8Array(await readFile(path));
  } catch (cause) {
    throw new VedetteError("not_found", `the ${what} ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
}
