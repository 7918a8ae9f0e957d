/**
 * Reference data that is no table: an array of numpy's, as `np.save` writes it (format 1.0 to 3.0,
 * https://numpy.org/doc/stable/reference/generated/numpy.lib.format.html): magic, a header as a Python literal, the values.
 */
import { VedetteError } from "@vedette/protocol/errors";
import { fromHalf, toHalf } from "@vedette/protocol/halves";
import { isInteger, numberBounds, type Tensor, type TensorSpec, tensorArrays } from "@vedette/protocol/tensors";

const magic = "\x93NUMPY";
const datatypes = {
  b1: "BOOL",
  u1: "UINT8",
  u2: "UINT16",
  u4: "UINT32",
  u8: "UINT64",
  i1: "INT8",
  i2: "INT16",
  i4: "INT32",
  i8: "INT64",
  f2: "FP16",
  f4: "FP32",
  f8: "FP64",
} as const;

/** Whether bytes are an array of numpy's. */
export function isNpy(bytes: Uint8Array): boolean {
  return magic === String.fromCharCode(...bytes.subarray(0, magic.length));
}

/** @throws VedetteError invalid_csv: what is not understood, and how to save it instead. */
export function readNpy(bytes: Uint8Array, path: string): Tensor {
  const refuse = (why: string) => new VedetteError("invalid_csv", `${path} cannot be read as a numpy array: ${why}`);
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  if (!isNpy(bytes) || bytes.length < 12) throw refuse("it is cut short");
  const long = (bytes[6] ?? 0) > 1;
  const start = long ? 12 : 10;
  const end = start + (long ? view.getUint32(8, true) : view.getUint16(8, true));
  const header = new TextDecoder().decode(bytes.subarray(start, end));
  const type = /'descr': '[<|=]([a-z]\d)'/.exec(header)?.[1] ?? "";
  const shape = /'shape': \(([\d, ]*)\)/
    .exec(header)?.[1]
    ?.split(",")
    .map((size) => size.trim())
    .filter(Boolean)
    .map(Number);
  if (!Object.hasOwn(datatypes, type))
    throw refuse("its values are no little-endian numbers: save it as astype(np.float32)");
  if (!shape || shape.length === 0 || !/'fortran_order': False/.test(header)) {
    throw refuse("it has no rows in C order: save np.ascontiguousarray(array)");
  }
  const datatype = datatypes[type as keyof typeof datatypes];
  const Values = tensorArrays[datatype];
  const length = shape.reduce((product, size) => product * size, 1);
  if (length === 0 || bytes.length - end !== length * Values.BYTES_PER_ELEMENT) {
    throw refuse(`${bytes.length - end} bytes of values are not [${shape.join(", ")}] of ${datatype}`);
  }
  return { datatype, shape, data: new Values(new Uint8Array(bytes.subarray(end)).buffer) };
}

/** The same values in the datatype that an input takes. @throws VedetteError invalid_csv where the shape or a value does not fit. */
export function asInput(tensor: Tensor, { name, datatype, shape }: TensorSpec, path: string): Tensor {
  const fits =
    tensor.shape.length === shape.length &&
    shape.every((size, i) => i === 0 || size === -1 || size === tensor.shape[i]);
  const has = `${path} holds ${tensor.datatype} [${tensor.shape.join(", ")}]`;
  const takes = `input "${name}" takes ${datatype} [${shape.join(", ")}]`;
  if (!fits || datatype === "BYTES") throw new VedetteError("invalid_csv", `${has}, and ${takes}`);
  if (tensor.datatype === datatype) return tensor;
  const Values = tensorArrays[datatype];
  const data = new Values(tensor.data.length);
  const [least, most] = numberBounds[datatype];
  for (let i = 0; i < data.length; i++) {
    const value = tensor.datatype === "FP16" ? fromHalf(tensor.data[i] as number) : Number(tensor.data[i]);
    if (!(value >= least && value <= most) || (isInteger(datatype) && !Number.isInteger(value))) {
      throw new VedetteError("invalid_csv", `${has}, and ${takes}: value ${i} is ${value}`);
    }
    if (data instanceof BigInt64Array || data instanceof BigUint64Array) data[i] = BigInt(value);
    else data[i] = datatype === "FP16" ? toHalf(value) : value;
  }
  return { datatype, shape: tensor.shape, data };
}
