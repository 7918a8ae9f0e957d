/**
 * How often a version is right on the labelled rows that came with it, beside the champion on the same rows. Both run in
 * processes of their own (publish/graph-apart.ts).
 */
import type { Manifest, OutputSchema } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import { feederOfGraph, fixedBatchOf } from "@vedette/protocol/feeds";
import { type EvaluationRows, evaluationLineage, evaluationRows, type GateCheck } from "@vedette/protocol/gate-api";
import { buildInputs } from "@vedette/protocol/input-rows";
import type { Output } from "../../publish/graph.ts";
import { openGraphApart } from "../../publish/graph-apart.ts";
import { classOf, namedLabels } from "../../publish/training-metrics.ts";
import { failed, measured, unmeasured } from "./checks.ts";
import { judgeLosses, mean, share } from "./paired-losses.ts";

/** A version as it is run: its manifest and its graph's bytes. */
export interface Runnable {
  readonly version: number;
  readonly manifest: Manifest;
  readonly model: Uint8Array;
}

const batchRows = 256;
const limitMs = 60_000;

/** @param textOf the labelled rows by their sha256. @param champion undefined where no device runs another version. */
export async function checkAccuracy(
  candidate: Runnable,
  champion: Runnable | undefined,
  textOf: (sha256: string) => Promise<string | undefined>,
): Promise<GateCheck> {
  const name = "accuracy";
  const named = evaluationLineage.safeParse(candidate.manifest.lineage.evaluation);
  if (!named.success) return unmeasured(name, "no labelled rows were given at publishing (--evaluation)");
  const text = await textOf(named.data.sha256);
  if (text === undefined) return failed(name, `the labelled rows ${named.data.sha256} were not sent: publish it again`);
  const rows = evaluationRows.parse(JSON.parse(text));
  if (candidate.manifest.output.task === "tensor")
    return unmeasured(name, "its outputs have no task, so none is right or wrong");
  try {
    const mine = await lossesOf(candidate, rows);
    const alone = (why: string) => {
      const right = 1 - mean(mine);
      const said = `right ${share(right)} of ${mine.length} rows; ${why}`;
      return measured(name, { measured: right, limit: null, unit: "share", passed: true, why: said });
    };
    if (!champion) return alone("no device runs another version to hold it against");
    const theirs = await lossesOfChampion(champion, candidate, rows);
    if (typeof theirs === "string")
      return alone(`version ${champion.version} ${theirs}, so that it is not held against it`);
    return judgeLosses({ candidate: mine, champion: theirs, championVersion: champion.version });
  } catch (error) {
    if (!(error instanceof VedetteError) || error.code === "internal") throw error;
    return failed(name, error.message);
  }
}

/** Or why it has none: what the champion cannot do is no fault of the candidate, which may be what replaces it for that. */
async function lossesOfChampion(
  champion: Runnable,
  { manifest }: Runnable,
  rows: EvaluationRows,
): Promise<number[] | string> {
  const lacking = lackingField(champion.manifest, rows) ?? otherTask(champion.manifest, manifest);
  if (lacking !== undefined) return lacking;
  try {
    return await lossesOf(champion, rows);
  } catch (error) {
    if (!(error instanceof VedetteError) || error.code === "internal") throw error;
    return `does not answer them (${error.message})`;
  }
}

function lackingField({ input }: Manifest, { fields }: EvaluationRows): string | undefined {
  const field = input.fields.find((one) => one.kind === "summary" || !fields.includes(one.name));
  return field && `takes ${field.name}, which the rows do not have`;
}

function otherTask(a: Manifest, b: Manifest): string | undefined {
  return a.output.task === b.output.task ? undefined : `is a ${a.output.task}`;
}

/** Of each row: 0 or 1 for a class; for a number its error as a share of the range of the labels, at most 1. */
async function lossesOf({ manifest, model }: Runnable, all: EvaluationRows): Promise<number[]> {
  const { input, output, runtime, limits } = manifest;
  const places = input.fields.map(({ name }) => all.fields.indexOf(name));
  const feed = feederOfGraph(runtime.inputs, input.fields);
  const atOnce = fixedBatchOf(runtime.inputs) ?? batchRows;
  const truth = truthOf(output, all.labels);
  const scale = rangeOf(truth);
  const graph = await openGraphApart(model, limitMs, { memoryBytes: 2 * limits.memoryBytes });
  const losses: number[] = [];
  try {
    for (let first = 0; first < all.rows.length; first += atOnce) {
      const rows = all.rows.slice(first, first + atOnce);
      const read = (_: unknown, f: number, row: number) => rows[row]?.[places[f] ?? -1] ?? null;
      const answers = await graph.run(feed(buildInputs(input, rows.length, read), rows.length));
      losses.push(...lossesIn(output, answers, truth.slice(first, first + rows.length), scale));
    }
  } finally {
    await graph.release();
  }
  return losses;
}

function lossesIn(
  output: OutputSchema,
  answers: Readonly<Record<string, Output>>,
  labels: readonly (string | null)[],
  scale: number,
): number[] {
  const size = (tensor: string) => answers[tensor]?.shape[0] ?? labels.length;
  if (output.task === "classification") {
    return labels.map((want, row) => Number(classOf(output, answers, row, size(output.scores.tensor)) !== want));
  }
  if (output.task === "tensor") return labels.map(() => 1);
  const { tensor } = output.value;
  const width = (answers[tensor]?.data.length ?? 0) / size(tensor);
  return labels.map((label, row) => {
    const off = Math.abs(Number(answers[tensor]?.data[row * width]) - Number(label)) / scale;
    return Number.isNaN(off) ? 1 : Math.min(1, off);
  });
}

/**
 * Labels as the version names them.
 * @throws VedetteError invalid_csv where none is one of its classes, or one is no number: then nothing would be measured.
 */
function truthOf(output: OutputSchema, labels: readonly string[]): readonly (string | null)[] {
  if (output.task === "classification") {
    const named = namedLabels(labels, output.classes);
    if (named.some((label) => label !== null && output.classes.includes(label))) return named;
    throw new VedetteError("invalid_csv", `no label of the rows is one of the classes ${output.classes.join(", ")}`);
  }
  const strange = labels.find((label) => label.trim() === "" || !Number.isFinite(Number(label)));
  if (output.task === "tensor" || strange === undefined) return labels;
  throw new VedetteError("invalid_csv", `the label ${JSON.stringify(strange.slice(0, 80))} is no number`);
}

/** Of all but a hundredth at either end: one label of -9999 for "unknown" must not make every error small. 1 where they do not vary. */
function rangeOf(labels: readonly (string | null)[]): number {
  const sorted = labels.map(Number).toSorted((a, b) => a - b);
  const at = (place: number) => sorted[place] ?? 0;
  const last = sorted.length - 1;
  const middle = at(Math.ceil(0.99 * last)) - at(Math.floor(0.01 * last));
  const range = middle > 0 ? middle : at(last) - at(0);
  return range > 0 ? range : 1;
}
