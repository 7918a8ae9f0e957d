/** From what a model is asked with to its graph's input tensors. Pure: publishing, proving and serving feed by it. */
import type { InputField } from "./bundle.ts";
import { VedetteError } from "./errors.ts";
import { toHalf } from "./halves.ts";
import {
  type Datatype,
  type ModelInputs,
  type Rows,
  rowLength,
  type Tensor,
  type TensorData,
  type TensorSpec,
  tensorArrays,
} from "./tensors.ts";

/** Makes the input tensors of the first `n` rows, by name. */
export type Feeder = (inputs: ModelInputs, n: number) => Record<string, Tensor>;

interface Column {
  /** Place in a row, for a text among the row's texts. */
  readonly from: number;
  readonly column: number;
}
type Plan = (inputs: ModelInputs, n: number, size: number) => Tensor;

/** How many rows a graph takes at once: a number where its batch dimension is fixed, else null. */
export function fixedBatchOf(inputs: readonly TensorSpec[]): number | null {
  const size = inputs[0]?.shape[0] ?? -1;
  return size > 0 ? size : null;
}

/**
 * The feeder of a graph: where each value goes is worked out once. Where the graph's batch is fixed, the last row is
 * repeated to fill it; read only as many outputs as there are rows. A missing text is fed as the empty one.
 * Its rows are at least [n][fields] in the order of the fields; integers for integer tensors (check-input sees to that).
 * @throws VedetteError invalid_manifest where a field points outside its tensor.
 */
export function feederOfGraph(inputs: readonly TensorSpec[], fields: readonly InputField[]): Feeder {
  const fixed = fixedBatchOf(inputs);
  const plans = inputs.map((spec) => [spec.name, planOf(spec, fields)] as const);
  return (given, n) => {
    const size = fixed ?? n;
    const feeds: Record<string, Tensor> = {};
    for (const [name, plan] of plans) feeds[name] = plan(given, n, size);
    return feeds;
  };
}

function planOf(spec: TensorSpec, fields: readonly InputField[]): Plan {
  const { name, datatype, shape } = spec;
  const columns: Column[] = [];
  let texts = 0;
  for (const [f, field] of fields.entries()) {
    if (field.kind === "summary") continue;
    if (field.tensor === name) {
      const text = field.kind === "category";
      if (text !== (datatype === "BYTES"))
        throw invalid(`field ${field.name} is a ${field.kind}, and ${name} ${datatype}`);
      columns.push({ from: text ? texts : f, column: field.column });
    }
    if (field.kind === "category") texts++;
  }
  if (columns.length === 0) return rawPlan(spec);
  // A tensor [n] holds one column; a variable width is as wide as the fields that fill it.
  const said = rowLength(shape);
  const width = said > 0 ? said : columns.length;
  if (columns.some(({ column }) => column >= width)) {
    throw invalid(`a field of tensor ${name} lies outside its ${width} columns`);
  }
  const tail = shape.length < 2 ? [] : shape.length === 2 ? [width] : shape.slice(1);
  if (datatype === "BYTES")
    return textPlan(columns, width, tail, fields.filter(({ kind }) => kind === "category").length);
  const identity =
    datatype === "FP32" &&
    columns.length === fields.length &&
    width === fields.length &&
    columns.every(({ from, column }) => from === column);
  const Values = tensorArrays[datatype];
  return ({ rows }, n, size) => {
    const data = new Values(size * width);
    if (identity && size === n) (data as Float32Array).set(rows.subarray(0, n * width));
    else fill(data, datatype, width, size, columns, rows, n, fields.length);
    return { datatype, shape: [size, ...tail], data };
  };
}

function fill(
  data: InstanceType<(typeof tensorArrays)[keyof typeof tensorArrays]>,
  datatype: Datatype,
  width: number,
  size: number,
  columns: readonly Column[],
  rows: Rows,
  n: number,
  fields: number,
): void {
  const half = datatype === "FP16";
  for (let i = 0; i < size; i++) {
    const row = Math.min(i, n - 1) * fields;
    for (const { from, column } of columns) {
      const value = rows[row + from] as number;
      if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[i * width + column] = BigInt(value);
      else data[i * width + column] = half ? toHalf(value) : value;
    }
  }
}

function textPlan(columns: readonly Column[], width: number, tail: readonly number[], count: number): Plan {
  return ({ texts = [] }, n, size) => {
    const data = new Array<string>(size * width).fill("");
    for (let i = 0; i < size; i++) {
      const row = Math.min(i, n - 1) * count;
      for (const { from, column } of columns) data[i * width + column] = texts[row + from] ?? "";
    }
    return { datatype: "BYTES", shape: [size, ...tail], data };
  };
}

function rawPlan({ name }: TensorSpec): Plan {
  return ({ tensors }, n, size) => {
    const tensor = tensors?.[name];
    if (!tensor) throw new VedetteError("invalid_input", `input tensor ${name} is missing`);
    return resized(tensor, 0, n, size);
  };
}

/** Rows `from` to `to` of a tensor. */
export function sliceTensor(tensor: Tensor, from: number, to: number): Tensor {
  return from === 0 && to === tensor.shape[0] ? tensor : resized(tensor, from, to, to - from);
}

/** Rows one below the other; of one datatype and, but for their number, one shape. */
export function joinTensors(tensors: readonly Tensor[]): Tensor {
  const [first, ...rest] = tensors;
  if (!first) throw new VedetteError("internal", "no tensors to join");
  if (rest.length === 0) return first;
  const { datatype, shape } = first;
  const rows = tensors.reduce((sum, tensor) => sum + (tensor.shape[0] ?? 0), 0);
  const joined = [rows, ...shape.slice(1)];
  if (datatype === "BYTES") return { datatype, shape: joined, data: tensors.flatMap(({ data }) => data as string[]) };
  const data = new tensorArrays[datatype](rows * rowLength(shape));
  let at = 0;
  for (const tensor of tensors) {
    (data as Float64Array).set(tensor.data as Float64Array, at);
    at += tensor.data.length;
  }
  return { datatype, shape: joined, data };
}

/** Rows `from` to `to`, the last repeated until there are `size`. */
function resized({ datatype, shape, data }: Tensor, from: number, to: number, size: number): Tensor {
  const width = rowLength(shape);
  const sized = [size, ...shape.slice(1)];
  const part = (
    datatype === "BYTES"
      ? (data as string[]).slice(from * width, to * width)
      : (data as Float64Array).subarray(from * width, to * width)
  ) as TensorData;
  if (to - from === size) return { datatype, shape: sized, data: part };
  if (datatype === "BYTES") throw new VedetteError("unsupported", "texts are no raw tensor");
  const filled = new tensorArrays[datatype](size * width) as Float64Array;
  filled.set(part as Float64Array);
  const last = (part as Float64Array).subarray(part.length - width);
  for (let i = to - from; i < size; i++) filled.set(last, i * width);
  return { datatype, shape: sized, data: filled as TensorData };
}

function invalid(what: string): VedetteError {
  return new VedetteError("invalid_manifest", `${what}: publish the model again`);
}
