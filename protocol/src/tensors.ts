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

/** What agents feed to a model: publishing refuses inputs of any other, which every device would have to reject. */
export const inputDatatypes = ["FP32", "FP64", "INT32", "INT64"] as const satisfies readonly Datatype[];
export type InputDatatype = (typeof inputDatatypes)[number];

export function isInputDatatype(name: Datatype): name is InputDatatype {
  return (inputDatatypes as readonly Datatype[]).includes(name);
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

/** Input rows of one model: row-major [n][fields], NaN = missing. 32-bit where every input tensor is FP32, else 64-bit. */
export type Rows = Float32Array | Float64Array;
