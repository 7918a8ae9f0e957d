/** From the objects that app developers have to what the core is asked with: in the page, in Node programs and in batches. */
import type { Manifest } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import { joinTensors } from "@vedette/protocol/feeds";
import { toHalf } from "@vedette/protocol/halves";
import { buildInputs, rawTensors } from "@vedette/protocol/input-rows";
import {
  isInteger,
  type ModelInputs,
  numberBounds,
  type Tensor,
  type TensorSpec,
  tensorArrays,
} from "@vedette/protocol/tensors";
import type { Agent, Prediction } from "../agent.ts";

type Nested = readonly (number | bigint | boolean | Nested)[];
/** A value of a field, or all values of one row of a raw tensor: nested by its shape. */
export type NamedValue = number | bigint | boolean | string | null | undefined | Nested | ArrayBufferView;
/**
 * One thing to predict for: values by field name, numbers or, of a category, its text; a raw tensor's row by the tensor's
 * name. What is absent, null or undefined counts as missing.
 */
export type NamedRow = Readonly<Record<string, NamedValue>>;

export interface NamedRequest {
  readonly model: string;
  readonly inputs: readonly NamedRow[];
  /** What the prediction is about: one for all rows. Key of the fallback cache. */
  readonly entity?: string;
  /** When it happened, UTC ms. */
  readonly eventTime?: number;
  readonly requestId?: string;
  /** Takes the model's answer however long it takes. */
  readonly patient?: boolean;
}

/**
 * Answers every row, as `Agent.predict` does.
 * @throws VedetteError not_found (no such model here), invalid_input (names the row and the field that is wrong).
 */
export async function predictRows(
  agent: Pick<Agent, "models" | "predict">,
  request: NamedRequest,
): Promise<Prediction> {
  const { inputs, ...about } = request;
  const model = agent.models().find((served) => served.name === about.model);
  if (!model) {
    const known = agent.models().map((served) => served.name);
    const there = known.length > 0 ? `there are ${known.join(", ")}` : "none was assigned to this agent yet";
    throw new VedetteError("not_found", `no model "${about.model}" here: ${there}`);
  }
  // A version that was withdrawn still says the fields, so that rules see their values. Where there was none, nobody
  // knows them: one value a row keeps the count, and the ladder answers.
  const { manifest } = model;
  const asked = manifest ? toInputs(manifest, inputs) : { rows: new Float32Array(inputs.length).fill(Number.NaN) };
  return agent.predict({ ...about, ...asked });
}

/**
 * What the core is asked with: rows [n][fields] in the order of the manifest's fields, and beside them texts and raw tensors.
 * @throws VedetteError invalid_input: the row and the field that is unknown or of another kind, and what is known.
 */
export function toInputs(manifest: Manifest, inputs: readonly NamedRow[]): ModelInputs {
  const { input } = manifest;
  if (inputs.length === 0) throw new VedetteError("invalid_input", "`inputs` is empty: give at least one row");
  const raw = rawTensors(input);
  const names = [
    ...input.fields.flatMap(({ kind, name }) => (kind === "summary" ? [] : [name])),
    ...raw.map(({ name }) => name),
  ];
  const known = new Set(names);
  for (const [n, row] of inputs.entries()) {
    if (typeof row !== "object" || row === null) throw wrong(`inputs[${n}] is no object of values by field name`);
    for (const name of Object.keys(row)) {
      if (!known.has(name))
        throw wrong(`inputs[${n}] has an unknown field "${name}": the model knows ${names.join(", ")}`);
    }
  }
  const tensors = raw.map((spec): [string, Tensor] => [
    spec.name,
    joinRows(
      spec,
      inputs.map((row, n) => rowOf(spec, own(row, spec.name), `inputs[${n}].${spec.name}`)),
    ),
  ]);
  return buildInputs(
    input,
    inputs.length,
    ({ name, kind }, _, n) => {
      const value = own(inputs[n] as NamedRow, name);
      if (value === null || value === undefined) return null;
      if (kind === "category") {
        if (typeof value === "string") return value;
        throw wrong(`inputs[${n}].${name} is a ${typeof value}: give a text, or leave it out`);
      }
      if (typeof value === "number") return value;
      if (typeof value === "boolean") return Number(value);
      if (typeof value === "bigint" && Number.isSafeInteger(Number(value))) return Number(value);
      if (typeof value === "bigint")
        throw wrong(`inputs[${n}].${name} is ${value}: over 2^53, which no row holds exactly`);
      throw wrong(`inputs[${n}].${name} is a ${typeof value}: give a number, or leave it out`);
    },
    Object.fromEntries(tensors),
  );
}

function own(row: NamedRow, name: string): NamedValue {
  return Object.hasOwn(row, name) ? row[name] : undefined;
}

function joinRows({ name }: TensorSpec, rows: readonly Tensor[]): Tensor {
  const shapes = new Set(rows.map(({ shape }) => shape.join(", ")));
  if (shapes.size > 1)
    throw wrong(`the rows of ${name} have several shapes, [${[...shapes].join("] and [")}]: ask for each`);
  return joinTensors(rows);
}

/** [1, …] of one row: nested by its shape, or flat where the shape leaves at most one size open. */
function rowOf({ datatype, shape }: TensorSpec, value: NamedValue, where: string): Tensor {
  if (!Array.isArray(value) && !ArrayBuffer.isView(value)) throw wrong(`${where} is missing: give a list of numbers`);
  const { values, sizes } = flatten(value as Nested | ArrayBufferView, where);
  const wanted = shape.slice(1);
  const fixed = wanted.reduce((product, size) => product * Math.max(size, 1), 1);
  const open = wanted.filter((size) => size === -1).length;
  const flat =
    sizes.length === 1 && open <= 1 ? wanted.map((size) => (size === -1 ? values.length / fixed : size)) : sizes;
  const fits = flat.length === wanted.length && wanted.every((size, i) => size === -1 || size === flat[i]);
  if (!fits || flat.reduce((product, size) => product * size, 1) !== values.length) {
    throw wrong(`${where} has shape [${sizes.join(", ")}]: [${wanted.join(", ")}] is expected`);
  }
  return { datatype, shape: [1, ...flat], data: typedData(datatype, values, where) };
}

function flatten(value: Nested | ArrayBufferView, where: string): { values: (number | bigint)[]; sizes: number[] } {
  if (ArrayBuffer.isView(value)) {
    const values = Array.from(value as unknown as ArrayLike<number | bigint>);
    return { values, sizes: [values.length] };
  }
  const values: (number | bigint)[] = [];
  const sizes: number[] = [];
  const take = (part: Nested, depth: number): void => {
    sizes[depth] ??= part.length;
    if (depth > 8 || sizes[depth] !== part.length) throw wrong(`${where} is no tensor: its lists differ in length`);
    for (const each of part) {
      if (Array.isArray(each)) take(each as Nested, depth + 1);
      else if (typeof each === "number" || typeof each === "bigint") values.push(each);
      else if (typeof each === "boolean") values.push(Number(each));
      else throw wrong(`${where} holds a ${each === null ? "null" : typeof each}: numbers are expected`);
    }
  };
  take(value, 0);
  return { values, sizes };
}

/** Exactly, but that floats are rounded to the nearest. @throws VedetteError invalid_input where a value does not fit. */
function typedData(
  datatype: TensorSpec["datatype"],
  values: readonly (number | bigint)[],
  where: string,
): Tensor["data"] {
  if (datatype === "BYTES") throw wrong(`${where}: texts are no raw tensor`);
  const [least, most] = numberBounds[datatype];
  const big = datatype === "INT64" || datatype === "UINT64";
  for (const value of values) {
    const whole = typeof value === "bigint" || !isInteger(datatype) || Number.isInteger(value);
    const inside = big && typeof value === "bigint" ? bigFits(datatype, value) : value >= least && value <= most;
    if (!whole || !inside) throw wrong(`${where} holds ${value}, which is no ${datatype}`);
  }
  const data = new tensorArrays[datatype](values.length);
  for (const [i, value] of values.entries()) {
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[i] = BigInt(value);
    else data[i] = datatype === "FP16" ? toHalf(Number(value)) : Number(value);
  }
  return data;
}

function bigFits(datatype: "INT64" | "UINT64", value: bigint): boolean {
  return datatype === "INT64" ? BigInt.asIntN(64, value) === value : BigInt.asUintN(64, value) === value;
}

function wrong(message: string): VedetteError {
  return new VedetteError("invalid_input", message);
}
