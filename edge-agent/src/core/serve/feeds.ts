/** From request rows to the graph's input tensors. Pure: model-slot feeds predictions with it, prove its golden vectors. */
import type { Manifest } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import type { Datatype, Rows } from "@vedette/protocol/tensors";
import type { Tensor } from "../ports.ts";

const arrays = {
  FP32: Float32Array,
  FP64: Float64Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
} as const;

/** How many rows the graph takes at once: a number where its batch dimension is fixed, else null. */
export function fixedBatch(manifest: Manifest): number | null {
  const size = manifest.runtime.inputs[0]?.shape[0] ?? -1;
  return size > 0 ? size : null;
}

/**
 * Input tensors for all rows, by name. Where the graph's batch is fixed, the last row is repeated to fill it; read only
 * as many outputs as there are rows.
 * @param rows at least [n][fields] in the order of the schema's fields; integers for integer tensors (check-input sees to that).
 * @throws VedetteError invalid_manifest where a field points outside its tensor; unsupported for other datatypes.
 */
export function feedsOf(manifest: Manifest, rows: Rows, n: number): Record<string, Tensor> {
  const { fields } = manifest.input;
  const size = fixedBatch(manifest) ?? n;
  const feeds: Record<string, Tensor> = {};
  for (const { name, datatype, shape } of manifest.runtime.inputs) {
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
    const data = columnsOf(datatype, name, size * width);
    const identity = columns.length === fields.length && width === fields.length && columns.every(([f, c]) => f === c);
    if (identity && size === n && data instanceof Float32Array) data.set(rows);
    else {
      for (let i = 0; i < size; i++) {
        const row = Math.min(i, n - 1) * fields.length;
        for (const [f, column] of columns) {
          const value = rows[row + f] as number;
          if (data instanceof BigInt64Array) data[i * width + column] = BigInt(value);
          else data[i * width + column] = value;
        }
      }
    }
    feeds[name] = { datatype, shape: shape.length < 2 ? [size] : rest(size, shape, width), data };
  }
  return feeds;
}

function rest(size: number, shape: readonly number[], width: number): number[] {
  return shape.length === 2 ? [size, width] : [size, ...shape.slice(1)];
}

function columnsOf(datatype: Datatype, name: string, length: number) {
  const array = arrays[datatype as keyof typeof arrays];
  if (!array) {
    throw new VedetteError(
      "unsupported",
      `input tensor ${name} is ${datatype}: this agent feeds ${Object.keys(arrays).join(", ")}`,
    );
  }
  return new array(length);
}
