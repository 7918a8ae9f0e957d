/** From request rows to the graph's input tensors. Pure: model-slot feeds predictions with it, prove its golden vectors. */
import type { Manifest } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import {
  type Datatype,
  type InputDatatype,
  inputDatatypes,
  isInputDatatype,
  type Rows,
} from "@vedette/protocol/tensors";
import type { Tensor } from "../ports.ts";

const arrays = {
  FP32: Float32Array,
  FP64: Float64Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
} as const satisfies Record<InputDatatype, unknown>;

/** How many rows the graph takes at once: a number where its batch dimension is fixed, else null. */
export function fixedBatch(manifest: Manifest): number | null {
  const size = manifest.runtime.inputs[0]?.shape[0] ?? -1;
  return size > 0 ? size : null;
}

/** Makes the input tensors of the first `n` rows, by name. */
export type Feeder = (rows: Rows, n: number) => Record<string, Tensor>;

/**
 * The feeder of a version: where each value goes is worked out once. Where the graph's batch is fixed, the last row is
 * repeated to fill it; read only as many outputs as there are rows.
 * Its rows are at least [n][fields] in the order of the schema's fields; integers for integer tensors (check-input sees
 * to that).
 * @throws VedetteError invalid_manifest where a field points outside its tensor; unsupported for other datatypes.
 */
export function feederOf(manifest: Manifest): Feeder {
  const { fields } = manifest.input;
  const fixed = fixedBatch(manifest);
  const plans = manifest.runtime.inputs.map(({ name, datatype, shape }) => {
    const columns: [field: number, column: number][] = [];
    for (const [f, field] of fields.entries()) if (field.tensor === name) columns.push([f, field.column]);
    // A tensor [n] holds one column; a variable width is as wide as the fields that fill it.
    const said = shape.length < 2 ? 1 : shape.slice(1).reduce((product, dimension) => product * dimension, 1);
    const width = said > 0 ? said : columns.length;
    if (columns.some(([, column]) => column >= width)) {
      throw new VedetteError(
        "invalid_manifest",
        `a field of tensor ${name} lies outside its ${width} columns: publish again`,
      );
    }
    const identity = columns.length === fields.length && width === fields.length && columns.every(([f, c]) => f === c);
    const tail = shape.length < 2 ? [] : shape.length === 2 ? [width] : shape.slice(1);
    return { name, datatype, columns, width, identity, tail, ArrayType: arrayOf(datatype, name) };
  });

  return (rows, n) => {
    const size = fixed ?? n;
    const feeds: Record<string, Tensor> = {};
    for (const { name, datatype, columns, width, identity, tail, ArrayType } of plans) {
      const data = new ArrayType(size * width);
      if (identity && size === n && data instanceof Float32Array) data.set(rows.subarray(0, n * width));
      else fill(data, width, size, columns, rows, n, fields.length);
      feeds[name] = { datatype, shape: [size, ...tail], data };
    }
    return feeds;
  };
}

/** What `feederOf` makes, for those who feed once. */
export function feedsOf(manifest: Manifest, rows: Rows, n: number): Record<string, Tensor> {
  return feederOf(manifest)(rows, n);
}

function fill(
  data: Float32Array | Float64Array | Int32Array | BigInt64Array,
  width: number,
  size: number,
  columns: readonly (readonly [field: number, column: number])[],
  rows: Rows,
  n: number,
  fields: number,
): void {
  for (let i = 0; i < size; i++) {
    const row = Math.min(i, n - 1) * fields;
    for (const [f, column] of columns) {
      const value = rows[row + f] as number;
      if (data instanceof BigInt64Array) data[i * width + column] = BigInt(value);
      else data[i * width + column] = value;
    }
  }
}

function arrayOf(datatype: Datatype, name: string) {
  if (isInputDatatype(datatype)) return arrays[datatype];
  throw new VedetteError(
    "unsupported",
    `input tensor ${name} is ${datatype}: this agent feeds ${inputDatatypes.join(", ")}`,
  );
}
