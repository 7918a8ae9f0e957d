/**
 * What requests and responses of inference servers say, row by row: the Open Inference Protocol (`inputs`, `outputs`), KServe's
 * first protocol, which is TensorFlow Serving's (`instances`, `predictions`), and rows of our own. Pure.
 */
import { VedetteError } from "@vedette/protocol/errors";
import {
  maxEventRows,
  maxWatchValues,
  type WatchedField,
  type WatchSpec,
  type watchRow,
} from "@vedette/protocol/watch-api";
import { z } from "zod";

type Value = number | string | null;
/** Values by field, in the fields' order. */
export type InputRow = readonly Value[];
export interface OutputRow {
  readonly label: string | null;
  readonly value: number | null;
  /** By class. */
  readonly scores: Readonly<Record<string, number>>;
}

const scalar = z.union([z.number(), z.string().max(1024), z.boolean(), z.null()]);
const tensor = z.object({
  name: z.string(),
  shape: z.array(z.int().min(0)).max(8),
  datatype: z.string(),
  data: z.array(z.unknown()),
});
const inferRequest = z.object({
  inputs: z.array(tensor).min(1).max(1024),
  parameters: z
    .object({ vedette_entity: z.string().max(1024).optional() })
    .optional()
    .catch(undefined),
});
const predictRequest = z.object({ instances: z.array(z.unknown()).min(1) });
const inferResponse = z.object({ outputs: z.array(tensor).max(1024) });
const predictResponse = z.object({ predictions: z.array(z.unknown()) });

/** @throws VedetteError invalid_input saying what does not fit the fields. */
export function readRequest(data: unknown, spec: WatchSpec): { rows: InputRow[]; entity: string | null } {
  const infer = inferRequest.safeParse(data);
  if (infer.success) {
    return { rows: fromTensors(infer.data.inputs, spec.fields), entity: infer.data.parameters?.vedette_entity ?? null };
  }
  const predict = predictRequest.safeParse(data);
  if (!predict.success)
    throw misfit("the request has neither `inputs` (tensors with name, shape, datatype and data) nor `instances`");
  const { instances } = predict.data;
  limit(instances.length, spec.fields.length);
  return { rows: instances.map((instance, i) => readInputs(instance, spec.fields, `instance ${i}`)), entity: null };
}

/** @throws VedetteError invalid_input. */
export function readResponse(data: unknown, spec: WatchSpec): OutputRow[] {
  const infer = inferResponse.safeParse(data);
  if (infer.success) return fromOutputs(infer.data.outputs, spec);
  const predict = predictResponse.safeParse(data);
  if (!predict.success) throw misfit("the response has neither `outputs` nor `predictions`");
  limit(predict.data.predictions.length);
  return predict.data.predictions.map((one) => readAnswer(one, spec));
}

/** @throws VedetteError invalid_input. */
export function readRow(
  row: z.infer<typeof watchRow>,
  spec: WatchSpec,
): { inputs: InputRow | null; output: OutputRow } {
  const { label, value = null, scores = {} } = row;
  const stranger = Object.keys(scores).find((name) => !spec.classes.includes(name));
  // Each would be a column of the lake for ever.
  if (stranger !== undefined) {
    const known =
      spec.classes.slice(0, 8).join(", ") ||
      "none (watch add --label names a column of classes; --task classification says that numbers are classes)";
    throw misfit(`scores name the class ${stranger.slice(0, 64)}, and those that are known are ${known}`);
  }
  const best = label === undefined ? highest(scores) : String(label);
  return {
    inputs: row.inputs === undefined ? null : readInputs(row.inputs, spec.fields, "inputs"),
    output: { label: best, value, scores },
  };
}

/** Values by name, in order, or the one value of a model with one field. */
function readInputs(given: unknown, fields: readonly WatchedField[], where: string): InputRow {
  const single = scalar.safeParse(given);
  if (single.success) return readInputs([single.data], fields, where);
  if (Array.isArray(given)) {
    const flat = given.flat(8);
    if (flat.length !== fields.length)
      throw misfit(`${where} has ${flat.length} values, and a row has ${fields.length}: ${names(fields)}`);
    return fields.map((field, i) => readValue(flat[i], field, where));
  }
  const byName = z.record(z.string(), z.unknown()).safeParse(given);
  if (!byName.success) throw misfit(`${where} is no row`);
  const known = Object.keys(byName.data).filter((name) => fields.some((field) => field.name === name));
  if (known.length === 0) throw misfit(`${where} names none of the fields ${names(fields)}`);
  return fields.map((field) => readValue(byName.data[field.name] ?? null, field, where));
}

function readValue(given: unknown, field: WatchedField, where: string): Value {
  const parsed = scalar.safeParse(given);
  if (!parsed.success) throw misfit(`${where}: ${field.name} is neither a number nor a text`);
  const { data: value } = parsed;
  if (value === null) return null;
  if (field.kind === "category") return String(value);
  if (typeof value === "string") throw misfit(`${where}: ${field.name} is a text, and should be a number`);
  return Number(value);
}

/** One tensor for each field, by name; else all values of a row, tensor after tensor, in the order of the fields. */
function fromTensors(tensors: readonly z.infer<typeof tensor>[], fields: readonly WatchedField[]): InputRow[] {
  const n = tensors[0]?.shape[0] ?? 0;
  limit(n, fields.length);
  const columns = tensors.map(({ name, shape, data }) => {
    const flat = data.flat(8);
    const width = shape.slice(1).reduce((size, dimension) => size * dimension, 1);
    if (shape[0] !== n || flat.length !== n * width)
      throw misfit(`tensor ${name} has ${flat.length} values, and its shape says ${n} rows of ${width}`);
    return { name, width, flat };
  });
  const byName = columns.every(({ name, width }) => width === 1 && fields.some((field) => field.name === name));
  const width = columns.reduce((sum, column) => sum + column.width, 0);
  if (!byName && width !== fields.length)
    throw misfit(`the request has ${width} values a row, and the fields are ${fields.length}: ${names(fields)}`);
  return Array.from({ length: n }, (_, row) => {
    const where = `row ${row}`;
    if (byName) {
      return fields.map((field) => {
        const column = columns.find(({ name }) => name === field.name);
        return readValue(column?.flat[row] ?? null, field, where);
      });
    }
    const values = columns.flatMap((column) => column.flat.slice(row * column.width, (row + 1) * column.width));
    return fields.map((field, i) => readValue(values[i], field, where));
  });
}

function fromOutputs(tensors: readonly z.infer<typeof tensor>[], spec: WatchSpec): OutputRow[] {
  const n = tensors[0]?.shape[0] ?? 0;
  limit(n);
  return Array.from({ length: n }, (_, row) =>
    tensors.reduce<OutputRow>((answer, { name, shape, data }) => {
      const flat = data.flat(8);
      if (shape[0] !== n || flat.length % Math.max(1, n) !== 0)
        throw misfit(`output ${name} has ${flat.length} values for ${n} rows`);
      const width = flat.length / n;
      const values = flat.slice(row * width, (row + 1) * width);
      const next = readAnswer(width === 1 ? values[0] : values, spec);
      const scores = Object.keys(answer.scores).length > 0 ? answer.scores : next.scores;
      // A label that the server named is one, before the best of its scores.
      const named = width === 1 && next.label !== null ? next.label : (answer.label ?? next.label);
      return { label: named, value: answer.value ?? next.value, scores };
    }, nothing),
  );
}

const nothing: OutputRow = { label: null, value: null, scores: {} };

/** A class, a number, or a score for each class. What is none of these is an answer of which no more is known. */
function readAnswer(given: unknown, { task, classes }: WatchSpec): OutputRow {
  if (typeof given === "string" || typeof given === "boolean")
    return { ...nothing, label: String(given).slice(0, 256) };
  if (typeof given === "number") {
    if (task !== "classification") return { ...nothing, value: given };
    const [no, yes] = classes;
    if (classes.includes(String(given))) return { ...nothing, label: String(given) };
    if (Number.isInteger(given)) return { ...nothing, label: classes[given] ?? String(given) };
    // One number between two classes is the second's probability.
    if (classes.length === 2 && no !== undefined && yes !== undefined && given > 0 && given < 1)
      return { label: given >= 0.5 ? yes : no, value: null, scores: { [no]: 1 - given, [yes]: given } };
    return { ...nothing, value: given };
  }
  const scores = z
    .array(z.number())
    .min(1)
    .max(100)
    .safeParse(Array.isArray(given) ? given.flat(8) : given);
  if (!scores.success) return nothing;
  if (scores.data.length === 1) return readAnswer(scores.data[0], { task, classes } as WatchSpec);
  if (task === "regression") return nothing;
  const named = Object.fromEntries(scores.data.map((score, i) => [classes[i] ?? String(i), score]));
  return { label: highest(named), value: null, scores: named };
}

function highest(scores: Readonly<Record<string, number>>): string | null {
  const [best] = Object.entries(scores).sort(([, a], [, b]) => b - a);
  return best?.[0] ?? null;
}

function limit(rows: number, width = 1): void {
  if (rows > maxEventRows) throw misfit(`${rows} rows in one event, over ${maxEventRows}`);
  if (rows * width > maxWatchValues)
    throw misfit(`${rows} rows of ${width} values in one event, over ${maxWatchValues} values`);
}

function names(fields: readonly WatchedField[]): string {
  const some = fields.slice(0, 8).map(({ name }) => name);
  return some.length < fields.length ? `${some.join(", ")} …` : some.join(", ");
}

function misfit(why: string): VedetteError {
  return new VedetteError("invalid_input", why);
}
