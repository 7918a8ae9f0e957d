/** From the tensors of a request to the rows that the agent predicts: by the input schema of the version that serves. */
import type { Manifest } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import type { Datatype, Rows, TensorSpec } from "@vedette/protocol/tensors";
import { type InputTensor, shown } from "./request.ts";

/** Answering, logging and writing rows takes the one thread: others, and health, wait that long. */
const maxRows = 4096;
const maxValues = 8 * 1024 * 1024;
type Numbers = ArrayLike<number | bigint>;

/**
 * [n][fields] in the order of the schema's fields; `null` in JSON and NaN in binary mean missing.
 * @throws VedetteError invalid_input naming the tensor and what it should have been.
 */
export function readRows(inputs: readonly InputTensor[], schema: Manifest["input"]): Rows {
  const given = byName(inputs, schema.tensors);
  const n = given[0]?.shape[0] ?? 0;
  const tensors = new Map<string, { values: Numbers; width: number }>();
  for (const [i, spec] of schema.tensors.entries()) {
    const tensor = given[i] as InputTensor;
    checkShape(tensor, spec, n);
    const width = tensor.shape.slice(1).reduce((product, size) => product * size, 1);
    const values =
      tensor.data.kind === "binary" ? fromBinary(tensor, tensor.data.bytes, n * width) : fromJson(tensor, n * width);
    tensors.set(spec.name, { values, width });
  }
  const width = schema.fields.length;
  const rows = schema.tensors.every((spec) => spec.datatype === "FP32")
    ? new Float32Array(n * width)
    : new Float64Array(n * width);
  for (const [f, field] of schema.fields.entries()) {
    const from = tensors.get(field.tensor);
    if (!from || field.column >= from.width) {
      const has = from ? `${from.width} columns` : "no such tensor";
      throw invalid(`field ${field.name} is column ${field.column} of input tensor ${field.tensor}, which has ${has}`);
    }
    for (let row = 0; row < n; row++) rows[row * width + f] = Number(from.values[row * from.width + field.column]);
  }
  return rows;
}

/** The request's tensors in the schema's order: each once, none missing, none unknown. */
function byName(inputs: readonly InputTensor[], specs: readonly TensorSpec[]): InputTensor[] {
  const known = specs.map((spec) => spec.name);
  const stranger = inputs.find((tensor) => !known.includes(tensor.name));
  if (stranger)
    throw invalid(`input tensor ${shown(stranger.name)} is none of this model's: it takes ${known.join(", ")}`);
  return specs.map((spec) => {
    const found = inputs.filter((tensor) => tensor.name === spec.name);
    if (found[0] && found.length === 1) return found[0];
    throw invalid(`input tensor ${spec.name} is ${found.length === 0 ? "missing" : "there more than once"}`);
  });
}

function checkShape(tensor: InputTensor, spec: TensorSpec, n: number): void {
  const shown = `[${tensor.shape.join(", ")}]`;
  if (tensor.datatype !== spec.datatype) {
    throw invalid(`input tensor ${tensor.name} is ${tensor.datatype}, but the model takes ${spec.datatype}`);
  }
  const fits = tensor.shape.length === spec.shape.length;
  if (!fits || spec.shape.some((size, i) => i > 0 && size !== -1 && size !== tensor.shape[i])) {
    throw invalid(`input tensor ${tensor.name} has shape ${shown}, but the model takes [${spec.shape.join(", ")}]`);
  }
  if (n === 0) throw invalid(`input tensor ${tensor.name} has shape ${shown}: send at least one row`);
  // Before anything is allocated by what a client says: no body within the limit holds more values than this.
  const count = tensor.shape.reduce((product, size) => product * size, 1);
  if (count > maxValues) throw invalid(`input tensor ${tensor.name} has shape ${shown}: over ${maxValues} values`);
  if (n > maxRows) throw invalid(`${n} rows are too many for one request: split it, ${maxRows} rows at most`);
  if (tensor.shape[0] !== n) throw invalid(`input tensor ${tensor.name} has ${tensor.shape[0]} rows, others have ${n}`);
}

function fromJson(tensor: InputTensor, count: number): Float64Array {
  const values = new Float64Array(count);
  const floats = tensor.datatype.startsWith("FP");
  let at = 0;
  const take = (value: unknown, depth: number): void => {
    if (Array.isArray(value)) {
      if (depth > tensor.shape.length)
        throw invalid(`input tensor ${tensor.name}: its data is nested deeper than its shape`);
      for (const part of value) take(part, depth + 1);
      return;
    }
    const number = floats && typeof value === "number" ? value : numberOf(value, tensor.datatype);
    if (number === undefined) {
      // Not written out: it may be nested deeper than the stack is.
      const shown = typeof value === "object" ? "an object" : JSON.stringify(value)?.slice(0, 60);
      throw invalid(
        `input tensor ${tensor.name}: value ${at} is ${shown}, not ${tensor.datatype} (null means missing)`,
      );
    }
    if (at < count) values[at] = number;
    at++;
  };
  if (!Array.isArray(tensor.data.kind === "json" && tensor.data.values)) {
    throw invalid(`input tensor ${tensor.name}: data is a list of values`);
  }
  take(tensor.data.kind === "json" ? tensor.data.values : [], 1);
  if (at !== count) throw wrongCount(tensor, `${at} values`, `${count}`);
  return values;
}

function numberOf(value: unknown, datatype: Datatype): number | undefined {
  if (value === null) return Number.NaN;
  if (datatype === "BYTES") return undefined; // no field of an input schema is a text
  if (datatype === "BOOL") return typeof value === "boolean" ? Number(value) : undefined;
  if (typeof value !== "number") return undefined;
  return datatype.startsWith("FP") || Number.isInteger(value) ? value : undefined;
}

const arrays = {
  BOOL: Uint8Array,
  UINT8: Uint8Array,
  UINT16: Uint16Array,
  UINT32: Uint32Array,
  UINT64: BigUint64Array,
  INT8: Int8Array,
  INT16: Int16Array,
  INT32: Int32Array,
  INT64: BigInt64Array,
  FP32: Float32Array,
  FP64: Float64Array,
} as const;

function fromBinary(tensor: InputTensor, bytes: Uint8Array, count: number): Numbers {
  if (tensor.datatype === "FP16" || tensor.datatype === "BYTES") {
    throw new VedetteError("unsupported", `input tensor ${tensor.name}: send ${tensor.datatype} as JSON data`);
  }
  const Values = arrays[tensor.datatype];
  const expected = count * Values.BYTES_PER_ELEMENT;
  if (bytes.length !== expected) throw wrongCount(tensor, `${bytes.length} bytes`, `${expected}`);
  // Copied, since a typed array must begin at a multiple of its width. Little-endian, as is every machine this runs on.
  return new Values(new Uint8Array(bytes).buffer);
}

function wrongCount(tensor: InputTensor, has: string, wants: string): VedetteError {
  return invalid(`input tensor ${tensor.name} has ${has}, but its shape [${tensor.shape.join(", ")}] wants ${wants}`);
}

function invalid(message: string): VedetteError {
  return new VedetteError("invalid_input", message);
}
