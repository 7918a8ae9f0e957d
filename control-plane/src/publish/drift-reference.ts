/**
 * The drift reference of a bundle: what the model was trained on, and what it answers to it, counted in two passes and in
 * batches. Talks to the graph and to the drift kernels; what the features are is the protocol's.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import { coarse, type DriftFeature, driftFeatures, maxKnownCategories } from "@vedette/protocol/drift-features";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Kernels } from "@vedette/wasm-kernels";
import { answerAll, finite, rowOf } from "./evaluate.ts";
import type { Graph, Output } from "./graph.ts";
import type { Reference } from "./reference.ts";
import { classOf } from "./training-metrics.ts";

export type ReferenceKernels = Pick<Kernels, "abi" | "newReferenceBuilder">;
export interface DriftReferenceFile {
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** For the manifest: the places that have a bin, by feature, where there are more categories than bins. */
  readonly known: Readonly<Record<string, number[]>>;
}

/** Rows that are answered and counted at once. */
const batchRows = 4096;

/**
 * @param rows places of the reference rows to count, in the order in which they came; a row that the model answers with no
 *   numbers is left out, as devices leave it out.
 * @param asked the answers to just these rows, where they are known.
 * @throws VedetteError invalid_csv where no reference can be made of the data.
 */
export async function buildDriftReference(
  kernels: ReferenceKernels,
  graph: Graph,
  data: Reference,
  schema: Pick<Manifest, "input" | "output">,
  rows: readonly number[],
  asked: Readonly<Record<string, Output>> | null,
): Promise<DriftReferenceFile> {
  const { input, output } = schema;
  const places = driftFeatures({ input, output, drift: {} });
  /** What the model answered, [kept rows][answer features]: inputs are read again, the model is not asked again. */
  const fromAnswers = places.filter(({ source }) => source.kind !== "input");
  const kept: number[] = [];
  const answered: Float32Array[] = [];
  for (let at = 0; at < rows.length; at += batchRows) {
    const some = rows.slice(at, at + batchRows);
    const answers = asked ?? (await answerAll(graph, data, some));
    const [first, n] = asked ? [at, rows.length] : [0, some.length];
    const values: number[] = [];
    for (const [i, row] of some.entries()) {
      if (!finite(answers, first + i, n)) continue;
      kept.push(row);
      for (const { source } of fromAnswers) values.push(answerOf(source, output, answers, first + i, n));
    }
    answered.push(Float32Array.from(values));
  }

  const width = places.length;
  const inputs = places.filter(({ source }) => source.kind === "input");
  /** Batches of rows of places, [n][features]: the same at each call. */
  function* batches(features: readonly DriftFeature[]): Generator<Float32Array> {
    let from = 0;
    for (const part of answered) {
      const count =
        fromAnswers.length === 0 ? Math.min(batchRows, kept.length - from) : part.length / fromAnswers.length;
      const taken = data.take(kept.slice(from, from + count)).rows;
      const batch = new Float32Array(count * width);
      for (let row = 0; row < count; row++) {
        for (const [f, { source, codes }] of features.entries()) {
          const value =
            source.kind === "input"
              ? (taken[row * input.fields.length + source.place] as number)
              : (part[row * fromAnswers.length + f - inputs.length] as number);
          batch[row * width + f] = codes && !Number.isNaN(value) ? (codes[value] ?? Number.NaN) : value;
        }
      }
      from += count;
      yield batch;
    }
  }

  const known = mostFrequent(places, batches);
  const features = driftFeatures({ input, output, drift: { known } });
  try {
    const builder = kernels.newReferenceBuilder(features.map(({ spec }) => spec));
    try {
      for (const batch of batches(features)) builder.sample(batch);
      for (const batch of batches(features)) builder.count(batch);
      return { bytes: Uint8Array.from(builder.finish()), known };
    } finally {
      builder.free();
    }
  } catch (cause) {
    throw new VedetteError("invalid_csv", `no drift reference can be made of the data: ${messageOf(cause)}`, { cause });
  }
}

/** Of features with more categories than bins, the places that come most often. */
function mostFrequent(
  places: readonly DriftFeature[],
  batches: (features: readonly DriftFeature[]) => Iterable<Float32Array>,
): Record<string, number[]> {
  const crowded = places.flatMap(({ codes }, f) => (codes && codes.length - 1 > maxKnownCategories ? [f] : []));
  if (crowded.length === 0) return {};
  const counts = new Map(crowded.map((f) => [f, new Float64Array(places[f]?.codes?.length ?? 0)]));
  // By place, and not by code.
  for (const batch of batches(places.map((feature) => ({ ...feature, codes: null })))) {
    for (let at = 0; at < batch.length; at += places.length) {
      for (const [f, count] of counts) {
        const place = batch[at + f] as number;
        if (!Number.isNaN(place)) count[place] = (count[place] ?? 0) + 1;
      }
    }
  }
  return Object.fromEntries(
    [...counts].map(([f, count]) => {
      const order = Array.from(count.keys()).slice(0, -1); // the last is what has no place
      order.sort((a, b) => (count[b] as number) - (count[a] as number) || a - b);
      return [places[f]?.spec.name ?? "", order.slice(0, maxKnownCategories)];
    }),
  );
}

/** What devices count of an answer (their row-plan.ts), of the graph's own outputs. A label is its place. */
function answerOf(
  source: DriftFeature["source"],
  output: Manifest["output"],
  answers: Readonly<Record<string, Output>>,
  row: number,
  n: number,
): number {
  if (output.task === "regression") return coarse(Number(rowOf(answers[output.value.tensor] as Output, row, n)[0]));
  if (output.task === "tensor" || source.kind === "input" || source.kind === "value") return Number.NaN;
  const label = classOf(output, answers, row, n) ?? "";
  if (source.kind === "label") return source.places.get(label) ?? source.places.size;
  const scores = probabilities(output, rowOf(answers[output.scores.tensor] as Output, row, n).map(Number));
  return coarse(scores[source.kind === "score" ? source.place : output.classes.indexOf(label)] ?? Number.NaN);
}

/** As the agent decodes them: of one sigmoid both classes'. */
function probabilities(
  { scores }: Extract<Manifest["output"], { task: "classification" }>,
  raw: readonly number[],
): readonly number[] {
  if (scores.activation === "none") return raw;
  if (scores.activation === "sigmoid") {
    const each = raw.map((value) => 1 / (1 + Math.exp(-value)));
    return each.length === 1 ? [1 - (each[0] as number), each[0] as number] : each;
  }
  const top = Math.max(...raw);
  const weights = raw.map((value) => Math.exp(value - top));
  const sum = weights.reduce((total, weight) => total + weight, 0);
  return weights.map((weight) => weight / sum);
}
