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

/** −1 is a variable dimension; the first dimension is the batch. */
export const tensorSpec = z.object({
  name: z.string().min(1).max(256),
  datatype,
  shape: z.array(z.int().min(-1)).max(8),
});
export type TensorSpec = z.infer<typeof tensorSpec>;

/** Input rows of one model: row-major [n][fields], NaN = missing. 32-bit where every input tensor is FP32, else 64-bit. */
export type Rows = Float32Array | Float64Array;
