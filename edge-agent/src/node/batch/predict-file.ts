/**
 * Predicts for every row of a file, by the same pipeline as serving: schema check, features, model, fallback ladder, drift
 * and log; only the latency budget is none, since nobody waits for one answer. Talks to an agent in process; read-file.ts and write-file.ts bring and take rows.
 */
import { resolve } from "node:path";
import type { Manifest } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import { fromHalf } from "@vedette/protocol/halves";
import { rawTensors } from "@vedette/protocol/input-rows";
import type { Tensor } from "@vedette/protocol/tensors";
import type { Agent, Answer } from "../../core/agent.ts";
import { type NamedRow, type NamedValue, predictRows } from "../../core/serve/named-rows.ts";
import { type FileRow, formatOf, readFileRows } from "./read-file.ts";
import { type OutputColumn, type OutputRow, openSink } from "./write-file.ts";

export interface BatchSummary {
  readonly model: string;
  readonly digest: string | null;
  readonly rows: number;
  /** Rows by source, and those that fell back by reason. */
  readonly sources: Readonly<Record<string, number>>;
  readonly reasons: Readonly<Record<string, number>>;
  readonly out: string;
  readonly seconds: number;
}

/** Rows of one request: what one run of a model takes. */
const requestRows = 32;
const servingWithinMs = 30_000;
/** What tools write for a missing value, as publishing reads it. */
const missing = new Set(["", "NA", "N/A", "NaN", "nan", "NULL", "null", "None"]);

/**
 * @param options.progress is told of the rows done so far.
 * @throws VedetteError invalid_argument, not_found (no such file, or no such model here), not_ready (no version serves in time), invalid_input (which row, and what is wrong: then
 *   nothing is written), storage_failed.
 */
export async function predictFile(options: {
  agent: Pick<Agent, "models" | "predict" | "onChange">;
  model: string;
  input: string;
  output: string;
  /** Longest wait for a version to serve, ms. Where not said, 30 s for a model that is here, and none for another. */
  waitMs?: number | undefined;
  progress?: (rows: number) => void;
}): Promise<BatchSummary> {
  const { agent, model, input, output, progress } = options;
  formatOf(input, "--in");
  formatOf(output, "--out");
  if (resolve(input) === resolve(output)) {
    throw new VedetteError("invalid_argument", `--out ${output} would take the place of --in: choose another name`);
  }
  const manifest = await untilServing(agent, model, options.waitMs);
  const sink = await openSink(output, columnsOf(manifest));
  const started = performance.now();
  const sources: Record<string, number> = {};
  const reasons: Record<string, number> = {};
  let digest: string | null = null;
  let rows = 0;
  try {
    const read = rowReader(manifest, input);
    let waiting: NamedRow[] = [];
    const ask = async (): Promise<void> => {
      if (waiting.length === 0) return;
      const prediction = await predictRows(agent, { model, inputs: waiting, patient: true }).catch((error: unknown) => {
        throw located(error, input, rows);
      });
      digest = prediction.digest ?? digest;
      for (const { source, reason } of prediction.answers) {
        sources[source] = (sources[source] ?? 0) + 1;
        if (reason !== null) reasons[reason] = (reasons[reason] ?? 0) + 1;
      }
      await sink.write(prediction.answers.map((answer, i) => outputRow(manifest, answer, rows + i)));
      rows += waiting.length;
      waiting = [];
      progress?.(rows);
    };
    const names = columnNames(manifest);
    for await (const row of readFileRows(input, names)) {
      if (rows + waiting.length === 0) checkColumns(manifest, row, input);
      waiting.push(read(row, rows + waiting.length));
      if (waiting.length === requestRows) await ask();
    }
    await ask();
    await sink.finish();
  } catch (error) {
    await sink.abandon();
    throw error;
  }
  return { model, digest, rows, sources, reasons, out: output, seconds: (performance.now() - started) / 1000 };
}

/**
 * One that is here and does not serve yet, as after its assignment, is waited for; one that is not here is most often a
 * name that was mistyped, and is waited for only where that was said.
 */
async function untilServing(
  agent: Pick<Agent, "models" | "onChange">,
  name: string,
  waitMs: number | undefined,
): Promise<Manifest> {
  const named = () => agent.models().find((model) => model.name === name);
  const served = () => {
    const model = named();
    return model?.version ? model.manifest : null;
  };
  const known = served();
  if (known) return known;
  const here = () =>
    agent
      .models()
      .map((model) => model.name)
      .join(", ") || "none";
  const assign = `vedette model assign --name ${name}`;
  if (!named() && waitMs === undefined) {
    const why = `there is no model ${name} here (models here: ${here()})`;
    throw new VedetteError("not_found", `${why}: assign it with ${assign}, and say --wait SECONDS until it is here`);
  }
  const patience = waitMs ?? servingWithinMs;
  return new Promise((resolve, reject) => {
    const stop = agent.onChange(() => {
      const manifest = served();
      if (manifest) end(() => resolve(manifest));
    });
    const timer = setTimeout(() => {
      const why = `${name} does not serve here after ${patience / 1000} s (models here: ${here()})`;
      end(() => reject(new VedetteError("not_ready", `${why}: assign it with ${assign}, or wait longer`)));
    }, patience);
    const end = (settle: () => void): void => {
      clearTimeout(timer);
      stop();
      settle();
    };
  });
}

function columnNames({ input }: Manifest): string[] {
  const fields = input.fields.flatMap(({ kind, name }) => (kind === "summary" ? [] : [name]));
  return [...fields, ...rawTensors(input).map(({ name }) => name)];
}

/** A column that is not there at all is a mistake, and not a missing value in every row. */
function checkColumns(manifest: Manifest, row: FileRow, path: string): void {
  if (formatOf(path, "--in") === "ndjson") return; // absent is how JSON says missing
  const absent = columnNames(manifest).filter((name) => !Object.hasOwn(row, name));
  if (absent.length === 0) return;
  const has = Object.keys(row).slice(0, 20).join(", ") || "none of the model's";
  throw new VedetteError("invalid_input", `${path} has no column ${absent.join(", ")}; its columns are ${has}`);
}

/** The model's fields of a row; in CSV, which has nothing but texts, by the kind of each. */
function rowReader(manifest: Manifest, path: string): (row: FileRow, place: number) => NamedRow {
  const csv = formatOf(path, "--in") === "csv";
  const texts = new Set(manifest.input.fields.flatMap(({ kind, name }) => (kind === "category" ? [name] : [])));
  const names = columnNames(manifest);
  return (row, place) => {
    const named: Record<string, NamedValue> = Object.create(null);
    for (const name of names) {
      const value = Object.hasOwn(row, name) ? row[name] : null;
      if (!csv || typeof value !== "string") named[name] = value as NamedValue;
      else if (missing.has(value.trim())) named[name] = null;
      else named[name] = texts.has(name) ? value : numberIn(value.trim(), name, place, path);
    }
    return named;
  };
}

function numberIn(text: string, name: string, place: number, path: string): number {
  if (/^(true|false)$/i.test(text)) return text.length === 4 ? 1 : 0;
  const number = Number(text);
  if (!Number.isNaN(number)) return number;
  throw new VedetteError(
    "invalid_input",
    `row ${place} of ${path}: ${name} is "${text.slice(0, 40)}", and it is a number`,
  );
}

/** Rows of a request are told by their place in the file. */
function located(error: unknown, path: string, before: number): unknown {
  if (!(error instanceof VedetteError) || error.code !== "invalid_input") return error;
  return new VedetteError(
    "invalid_input",
    `${path}, in the ${requestRows} rows from row ${before} on: ${error.message}`,
    {
      cause: error,
    },
  );
}

function columnsOf({ output }: Manifest): OutputColumn[] {
  const text = (name: string) => ({ name, type: "STRING" }) as const;
  const number = (name: string) => ({ name, type: "DOUBLE" }) as const;
  const about = [
    { name: "row", type: "INT64" } as const,
    text("id"),
    text("source"),
    text("reason"),
    number("confidence"),
  ];
  if (output.task === "classification")
    return [...about, text("label"), ...output.classes.map((name) => number(`score_${name}`))];
  if (output.task === "regression") return [...about, number("value")];
  return [...about, ...output.tensors.map(({ name }) => text(name))];
}

/** Tensors without a task as JSON, flat. */
function outputRow({ output }: Manifest, answer: Answer, row: number): OutputRow {
  const { id, source, reason, confidence, label, value, scores, outputs } = answer;
  const about = { row, id, source, reason, confidence };
  if (output.task === "regression") return { ...about, value };
  if (output.task === "classification") {
    return {
      ...about,
      label,
      ...Object.fromEntries(output.classes.map((name, c) => [`score_${name}`, scores?.[c] ?? null])),
    };
  }
  return {
    ...about,
    ...Object.fromEntries(output.tensors.map(({ name }) => [name, outputs ? jsonOf(outputs[name]) : null])),
  };
}

function jsonOf(tensor: Tensor | undefined): string {
  if (tensor?.datatype === "FP16") return JSON.stringify(Array.from(tensor.data as Uint16Array, fromHalf));
  return JSON.stringify(Array.from<unknown>(tensor?.data ?? []), (_, value: unknown) =>
    typeof value === "bigint" ? String(value) : value,
  );
}
