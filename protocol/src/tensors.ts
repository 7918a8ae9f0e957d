/** Tensors as the Open Inference Protocol names them. */
import { z } from "zod";

export const datatypes = [
  "BOOL",
  "UINT8",
  "UINT16",
  "UINT32",
  "UINT64",
  "INT8",
  "INT16",
  "INT32",
  "INT64",
  "FP16",
  "FP32",
  "FP64",
  "BYTES",
] as const;
export const datatype = z.enum(datatypes);
export type Datatype = z.infer<typeof datatype>;

/** Datatypes that agents of capability 1 feed; a model of any other needs capability 2. */
export const firstDatatypes: readonly Datatype[] = ["FP32", "FP64", "INT32", "INT64"];

/**
 * The array of each datatype. FP16 are the bit patterns of halves (`halves` reads them), BOOL are 0 and 1; BYTES are a list
 * of texts and have none.
 */
export const tensorArrays = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP16: Uint16Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const satisfies Record<Exclude<Datatype, "BYTES">, unknown>;
export type TensorData =
  | Float32Array
  | Float64Array
  | Int8Array
  | Uint8Array
  | Int16Array
  | Uint16Array
  | Int32Array
  | Uint32Array
  | BigInt64Array
  | BigUint64Array
  | readonly string[];
export interface Tensor {
  readonly datatype: Datatype;
  readonly shape: readonly number[];
  readonly data: TensorData;
}

/** Smallest and largest number that a datatype holds, as far as a number of JavaScript says it exactly. */
export const numberBounds: Readonly<Record<Exclude<Datatype, "BYTES">, readonly [least: number, most: number]>> = {
  BOOL: [0, 1],
  UINT8: [0, 2 ** 8 - 1],
  UINT16: [0, 2 ** 16 - 1],
  UINT32: [0, 2 ** 32 - 1],
  UINT64: [0, Number.MAX_SAFE_INTEGER],
  INT8: [-(2 ** 7), 2 ** 7 - 1],
  INT16: [-(2 ** 15), 2 ** 15 - 1],
  INT32: [-(2 ** 31), 2 ** 31 - 1],
  INT64: [Number.MIN_SAFE_INTEGER, Number.MAX_SAFE_INTEGER],
  FP16: [-65_504, 65_504],
  FP32: [-3.4028234663852886e38, 3.4028234663852886e38],
  FP64: [-Number.MAX_VALUE, Number.MAX_VALUE],
};

/** Whether values of this datatype are integers, which have no way to say "missing". */
export function isInteger(datatype: Datatype): boolean {
  return datatype !== "BYTES" && !datatype.startsWith("FP");
}

/** What ONNX Runtime calls each datatype, in Node and in the page. */
export const onnxTypes = {
  BOOL: "bool",
  UINT8: "uint8",
  UINT16: "uint16",
  UINT32: "uint32",
  UINT64: "uint64",
  INT8: "int8",
  INT16: "int16",
  INT32: "int32",
  INT64: "int64",
  FP16: "float16",
  FP32: "float32",
  FP64: "float64",
  BYTES: "string",
} as const satisfies Record<Datatype, string>;
const byOnnxType = new Map<string, Datatype>(datatypes.map((name) => [onnxTypes[name], name]));

/** The datatype that ONNX Runtime calls so; undefined for those the Open Inference Protocol has no name for. */
export function datatypeOfOnnx(type: string): Datatype | undefined {
  return byOnnxType.get(type);
}

/** −1 is a variable dimension; the first dimension is the batch. */
export const tensorSpec = z.object({
  name: z.string().min(1).max(256),
  datatype,
  shape: z.array(z.int().min(-1)).max(8),
});
export type TensorSpec = z.infer<typeof tensorSpec>;

/** Input rows of one model: row-major [n][fields], NaN = missing. 32-bit unless `isWide`. */
export type Rows = Float32Array | Float64Array;

/** Whether an input tensor holds numbers that 32-bit floats would round: then rows are 64-bit. */
export function isWide(tensors: readonly TensorSpec[]): boolean {
  return tensors.some(({ datatype }) => /64|INT32/.test(datatype));
}

/** What a model is asked with: rows of numbers, and beside them what is no number. */
export interface ModelInputs {
  /** [n][fields]; of a category its place among those known, or their count where it is none of them. */
  readonly rows: Rows;
  /** [n][category fields], as they came; null = missing. Needed where the model has such fields. */
  readonly texts?: readonly (string | null)[];
  /** Whole tensors by name, [n, …]: those that no field of kind number or category is a column of. */
  readonly tensors?: Readonly<Record<string, Tensor>>;
}

/** Values in one row of a tensor: the product of its dimensions but the first. */
export function rowLength(shape: readonly number[]): number {
  return shape.slice(1).reduce((product, size) => product * size, 1);
}
