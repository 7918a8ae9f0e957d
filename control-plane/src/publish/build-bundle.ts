/**
 * From a model, reference data and a few words of the operator (read-sources.ts) to a bundle: the manifest's bytes and its
 * blobs. Talks to onnxruntime in another process (graph-apart.ts), DuckDB (csv-table.ts) and the drift kernels; sends nothing.
 */
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
import { VedetteError } from "@vedette/protocol/errors";
import { identityPlanHash } from "@vedette/protocol/feature-plan";
import { type LogPolicy, needsRules, wrongPolicy } from "@vedette/protocol/log-policy";
import { firstDatatypes, type TensorSpec } from "@vedette/protocol/tensors";
import { sha256 } from "../sha256.ts";
import { notesOn, rewriteNotes } from "./bundle-notes.ts";
import { checkRules } from "./check-rules.ts";
import { chunkFile } from "./chunk-file.ts";
import { type CsvTable, readCsv } from "./csv-table.ts";
import { buildDriftReference, type ReferenceKernels } from "./drift-reference.ts";
import { answerAll, copesWithMissing, measureLatency, spread } from "./evaluate.ts";
import { type Evaluation, readEvaluation } from "./evaluation-rows.ts";
import { chooseGolden } from "./golden.ts";
import type { Graph } from "./graph.ts";
import { openGraphApart } from "./graph-apart.ts";
import { settleRequired } from "./input-schema.ts";
import { defaultLatencyMs } from "./latency.ts";
import { inferOutput } from "./output-schema.ts";
import type { BundleSources, ModelDescription } from "./read-sources.ts";
import { fromArray, fromNoise, fromTable, type Reference } from "./reference.ts";
import { type TrainingMetrics, trainingMetrics } from "./training-metrics.ts";
import { type Unzipped, unzip } from "./zip-map.ts";

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
  /** Labelled rows for the gate, where some were given. */
  readonly evaluation: Evaluation | undefined;
  /** What the operator may want to know, in whole sentences. */
  readonly notes: readonly string[];
}
/** The answers to so many rows, evenly spread, are enough to learn what the outputs mean; fewer where a row is an image. */
const mostEvaluated = 100_000;
const mostValues = 64 * 1024 * 1024;
/** Numbers in a row above which not every reference row is answered. */
const mostWatchedWidth = 4096;
const memoryFloor = 256 * 1024 * 1024;

/**
 * @throws VedetteError invalid_model, invalid_csv, invalid_rules, invalid_argument, unsupported: what is wrong, where,
 * and what to do.
 */
export async function buildBundle(what: ModelDescription, sources: BundleSources, ports: BuildPorts): Promise<Bundle> {
  const unzipped = unzipOrFail(sources.model);
  const graph = await openGraphApart(unzipped.model);
  try {
    if (sources.array) {
      const data = fromArray(graph.inputs, sources.array, what.referenceFile ?? "");
      return await assemble(what, sources, ports, graph, unzipped, data, undefined);
    }
    if (what.referenceFile === undefined) {
      return await assemble(what, sources, ports, graph, unzipped, fromNoise(graph.inputs), undefined);
    }
    const table = await readCsv(what.referenceFile);
    try {
      const data = await fromTable(graph.inputs, table, what);
      return await assemble(what, sources, ports, graph, unzipped, data, table);
    } finally {
      table.close();
    }
  } finally {
    await graph.release();
  }
}

function unzipOrFail(model: Uint8Array<ArrayBuffer>): Unzipped {
  try {
    return unzip(model);
  } catch (cause) {
    throw new VedetteError("invalid_model", "the model is no ONNX file, or it is cut short: export it again", {
      cause,
    });
  }
}

async function assemble(
  what: ModelDescription,
  sources: BundleSources,
  ports: BuildPorts,
  graph: Graph,
  unzipped: Unzipped,
  data: Reference,
  table: CsvTable | undefined,
): Promise<Bundle> {
  const sample = spread(data.rows, Math.min(mostEvaluated, Math.ceil(mostValues / data.width)));
  const labels = table && (await readLabels(table, what.label, sample));
  if (!table && what.label !== undefined) {
    throw new VedetteError(
      "invalid_argument",
      "--label names a column of a CSV: give one as --reference, or leave it out",
    );
  }

  const answers = await answerAll(graph, data, sample);
  const output = inferOutput({
    declared: graph.outputs,
    answers,
    rows: sample.length,
    classes: what.classes,
    graphClasses: unzipped.classes,
    task: what.task,
    labels,
  });
  const copes = copesWithMissing(data, sample, answers);
  const golden = chooseGolden(data, sample, answers, output);
  if (!golden)
    throw new VedetteError("invalid_model", "no reference row has a clear answer: the model tells no classes apart");
  const fields = data.input.fields.map((field) => settleRequired(field, copes));
  const names = fields.map((field) => field.name);
  const ladder = what.rules === undefined ? null : checkRules(what.rules, fields, output);
  const metrics = labels && trainingMetrics(output, answers, labels.texts);
  const latency = await measureLatency(graph, data, ports.monotonic);
  const real = what.referenceFile !== undefined;
  // Where a row is an image, those that were answered are enough: to answer all may take hours.
  const every = Array.from({ length: data.rows }, (_, row) => row);
  const watched = !real ? [] : data.width > mostWatchedWidth ? sample : every;
  const asked = watched.length === sample.length ? answers : null;
  const schema = { input: { ...data.input, fields }, output };
  const drift = await buildDriftReference(ports.kernels, graph, data, schema, watched, asked);

  const log = logOf(what, sources.recipe);
  const wrong = wrongPolicy(log, names);
  if (wrong !== undefined) throw new VedetteError("invalid_argument", `--log: ${wrong}`);
  const evaluation =
    what.evaluationFile === undefined ? undefined : await readEvaluation(what.evaluationFile, what.label, fields, log);
  const files = [
    chunkFile("model.onnx", unzipped.model),
    chunkFile("drift-reference.bin", drift.bytes),
    chunkFile("golden.json", utf8(JSON.stringify(golden))),
  ];
  // As the graph says of itself, true or not: LightGBM's converter declares one label, however many there are.
  const outputs = output.tensors.map((tensor, i): TensorSpec => {
    const declared = graph.outputs[i]?.shape ?? [];
    if (declared.length !== tensor.shape.length) return { ...tensor, shape: declared };
    return {
      ...tensor,
      shape: tensor.shape.map((size, at) => (at === 0 || declared[at] !== -1 ? (declared[at] ?? -1) : size)),
    };
  });
  const memoryBytes = what.memoryBytes ?? memoryFloor + 8 * sources.model.length;
  const manifest: Manifest = {
    format: bundleFormat,
    critical: needsRules(log) ? ["log"] : [],
    model: what.name,
    createdAt: new Date(ports.now()).toISOString(),
    files: files.map(({ file }) => file),
    runtime: { file: "model.onnx", inputs: [...data.graphInputs], outputs },
    features: { plan: "identity", hash: identityPlanHash },
    input: { fields, tensors: data.input.tensors },
    output,
    drift: {
      file: "drift-reference.bin",
      alpha: 0.001,
      windowRows: what.driftWindow ?? windowRows(data.rows),
      ...what.drift,
      ...(Object.keys(drift.known).length > 0 ? { known: drift.known } : {}),
    },
    fallback: {
      cache: what.cacheAgeMs === undefined ? null : { maxAgeMs: what.cacheAgeMs },
      rules: ladder,
      confidenceFloor: what.confidenceFloor ?? null,
    },
    golden: { file: "golden.json" },
    limits: {
      latencyMs: what.latencyMs ?? defaultLatencyMs(latency),
      memoryBytes,
    },
    freshUntil: what.freshUntil ?? null,
    requires: {
      capability: capabilityOf(data, fields, output),
      opset: graph.opset,
      kernelAbi: ports.kernels.abi,
      backends: ["node-cpu", "wasm"],
      domains: [...graph.domains],
      memoryBytes,
    },
    log,
    lineage: {
      recipe: sources.recipe,
      model: { file: basename(what.modelFile), sha256: sources.modelSha256, bytes: sources.model.length },
      ...(what.referenceFile !== undefined && sources.referenceSha256 !== undefined
        ? { reference: { file: basename(what.referenceFile), sha256: sources.referenceSha256, rows: data.rows } }
        : {}),
      ...(unzipped.outputs.length > 0 ? { rewritten: `ZipMap of ${unzipped.outputs.join(", ")}` } : {}),
      ...(what.label === undefined ? {} : { label: what.label }),
      ...(what.trainedAt === undefined ? {} : { trainedAt: what.trainedAt }),
      ...(metrics ? { trainingData: { ...metrics } } : {}),
      ...(evaluation ? { evaluation: { ...evaluation.lineage } } : {}),
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
    evaluation,
    notes: [...rewriteNotes(unzipped, output), ...notesOn(output, fields, copes, real ? data.rows : undefined)],
  };
}

/** The salt follows from what is published, so that publishing twice is a no-op; whoever has the manifest knows it. */
function logOf(what: ModelDescription, recipe: string): LogPolicy {
  const log: LogPolicy = { inputs: what.logInputs, ...what.log };
  const rules = [log.inputs, log.entity, log.request, log.outputs, ...Object.values(log.fields ?? {})];
  const hashes = rules.some((rule) => typeof rule === "object" && rule.mode === "hashed");
  return hashes ? { ...log, salt: sha256(utf8(`salt/${recipe}`)).slice(0, 32) } : log;
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

/** The least an agent must understand, as capability.ts dates it: bundles that need nothing new are read by older ones. */
function capabilityOf({ graphInputs }: Reference, fields: readonly InputField[], output: OutputSchema): number {
  const first =
    output.task !== "tensor" &&
    fields.every(({ kind }) => kind === "number") &&
    graphInputs.every(({ datatype }) => firstDatatypes.includes(datatype)) &&
    output.tensors.every(({ datatype }) => datatype !== "FP16");
  return first ? 1 : 2;
}
