/** From the tensors of a request to what the agent is asked with: by the input schema of the version that serves. */
import type { Manifest } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import { fromHalf } from "@vedette/protocol/halves";
import { buildInputs, rawTensors } from "@vedette/protocol/input-rows";
import {
  isWide,
  type ModelInputs,
  numberBounds,
  rowLength,
  type Tensor,
  type TensorSpec,
} from "@vedette/protocol/tensors";
import { type InputTensor, shown } from "./request.ts";
import { readBinary, readJson } from "./tensor-values.ts";

/** Answering, logging and writing rows takes the one thread: others, and health, wait that long. */
const maxRows = 4096;
const maxValues = 8 * 1024 * 1024;

/**
 * Rows [n][fields] in the order of the schema's fields, and beside them texts and raw tensors; `null` in JSON and NaN in
 * binary mean missing.
 * @throws VedetteError invalid_input naming the tensor and what it should have been.
 */
export function readInputs(inputs: readonly InputTensor[], schema: Manifest["input"]): ModelInputs {
  const given = byName(inputs, schema.tensors);
  const n = given[0]?.shape[0] ?? 0;
  const tensors: Record<string, Tensor> = Object.create(null);
  for (const [i, spec] of schema.tensors.entries()) {
    const tensor = given[i] as InputTensor;
    checkShape(tensor, spec, n);
    const count = n * rowLength(tensor.shape);
    const data = tensor.data.kind === "binary" ? readBinary(tensor, tensor.data.bytes, count) : readJson(tensor, count);
    tensors[spec.name] = { datatype: spec.datatype, shape: tensor.shape, data };
  }
  return plainRows(tensors, schema, n) ?? mixedInputs(tensors, schema, n);
}

/** The commonest request, of nothing but numbers, without a call for each. */
function plainRows(
  tensors: Readonly<Record<string, Tensor>>,
  schema: Manifest["input"],
  n: number,
): ModelInputs | undefined {
  const { fields } = schema;
  if (!fields.every(({ kind, tensor }) => kind === "number" && /FP(32|64)/.test(tensors[tensor]?.datatype ?? "")))
    return undefined;
  const width = fields.length;
  const rows = new (isWide(schema.tensors) ? Float64Array : Float32Array)(n * width);
  for (const [f, field] of fields.entries()) {
    if (field.kind !== "number") continue;
    const { data, shape } = columned(tensors, field);
    const step = rowLength(shape);
    for (let row = 0; row < n; row++) rows[row * width + f] = data[row * step + field.column] as number;
  }
  return { rows };
}

function mixedInputs(tensors: Readonly<Record<string, Tensor>>, schema: Manifest["input"], n: number): ModelInputs {
  const raw = rawTensors(schema).map(({ name }): [string, Tensor] => [name, tensors[name] as Tensor]);
  const read = (field: { name: string; tensor: string; column: number }, _: number, row: number) => {
    const { datatype, data, shape } = columned(tensors, field);
    const value = data[row * rowLength(shape) + field.column] ?? null;
    if (datatype === "FP16") return fromHalf(value as number);
    if (typeof value !== "bigint") return value;
    const [least, most] = numberBounds.INT64;
    if (value >= least && value <= most) return Number(value);
    throw invalid(
      `input tensor ${field.tensor}: field ${field.name} of row ${row} is ${value}, over 2^53, which no row holds exactly`,
    );
  };
  return buildInputs(schema, n, read, Object.fromEntries(raw));
}

function columned(
  tensors: Readonly<Record<string, Tensor>>,
  field: { name: string; tensor: string; column: number },
): Tensor {
  const tensor = tensors[field.tensor];
  if (tensor && field.column < rowLength(tensor.shape)) return tensor;
  const has = tensor ? `${rowLength(tensor.shape)} columns` : "no such tensor";
  throw invalid(`field ${field.name} is column ${field.column} of input tensor ${field.tensor}, which has ${has}`);
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
  if (count === 0) throw invalid(`input tensor ${tensor.name} has shape ${shown}: it holds no value`);
  if (n > maxRows) throw invalid(`${n} rows are too many for one request: split it, ${maxRows} rows at most`);
  if (tensor.shape[0] !== n) throw invalid(`input tensor ${tensor.name} has ${tensor.shape[0]} rows, others have ${n}`);
}

function invalid(message: string): VedetteError {
  return new VedetteError("invalid_input", message);
}
