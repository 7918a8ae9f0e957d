/**
 * The request that nearly every client sends: one tensor of numbers in JSON, nothing asked beyond it. It is read and
 * answered here by what was worked out once for a version, in a third of the time that the general way takes; infer.ts
 * takes the general way for whatever is not quite of this shape, so that only that one knows how to refuse.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import { servedOutputs } from "@vedette/protocol/served-outputs";
import type { Rows } from "@vedette/protocol/tensors";
import type { Answer, Prediction } from "../../core/agent.ts";

interface QuickRequest {
  readonly rows: Rows;
  readonly id: string | undefined;
}
export interface QuickWay {
  /** Undefined where the request is not of the usual shape: no word on whether it is a good one. */
  read(json: unknown): QuickRequest | undefined;
  /** The body, byte for byte as the general way writes it; undefined where the answer is not of the usual kind. */
  write(prediction: Prediction, id: string | undefined): string | undefined;
}

const maxRows = 4096;
const maxId = 256;

/** @returns null where this version's tensors are not of the usual kind. */
export function quickWayOf(name: string, release: number, manifest: Manifest): QuickWay | null {
  const read = readerOf(manifest);
  const write = writerOf(name, release, manifest);
  return read && write && { read, write };
}

function readerOf(manifest: Manifest): QuickWay["read"] | null {
  const { fields, tensors } = manifest.input;
  const [tensor] = tensors;
  if (tensor?.datatype !== "FP32" || tensors.length !== 1 || tensor.shape.length !== 2 || tensor.shape[0] !== -1) {
    return null;
  }
  const width = tensor.shape[1] as number;
  if (fields.length !== width || fields.some((field, f) => field.kind !== "number" || field.column !== f)) return null;
  const { name } = tensor;

  return (json) => {
    if (!isObject(json) || !hasNoneBut(json, "inputs", "id")) return undefined;
    const { id, inputs } = json;
    if (id !== undefined && (typeof id !== "string" || id.length === 0 || id.length > maxId)) return undefined;
    if (!Array.isArray(inputs) || inputs.length !== 1) return undefined;
    const input: unknown = inputs[0];
    if (!isObject(input) || !hasNoneBut(input, "name", "datatype", "shape", "data")) return undefined;
    const { shape, data } = input;
    if (input.name !== name || input.datatype !== "FP32" || !Array.isArray(shape) || !Array.isArray(data))
      return undefined;
    const n: unknown = shape[0];
    if (shape.length !== 2 || shape[1] !== width || typeof n !== "number") return undefined;
    if (!Number.isInteger(n) || n < 1 || n > maxRows || data.length !== n * width) return undefined;
    const rows = new Float32Array(data.length);
    for (let i = 0; i < data.length; i++) {
      const value: unknown = data[i];
      if (typeof value !== "number") return undefined;
      rows[i] = value;
    }
    return { rows, id };
  };
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null;
}

function hasNoneBut(value: object, a: string, b: string, c = a, d = a): boolean {
  for (const key in value) if (key !== a && key !== b && key !== c && key !== d) return false;
  return true;
}

function writerOf(name: string, release: number, { output }: Manifest): QuickWay["write"] | null {
  const [only, ...more] = servedOutputs(output);
  if (!only || more.length > 0 || (only.datatype !== "FP32" && only.datatype !== "FP64")) return null;
  const values = valuesOf(output, only.shape);
  if (!values) return null;
  const head = `{"model_name":${JSON.stringify(name)},"model_version":${JSON.stringify(String(release))},`;
  const shape = only.shape.length < 2 ? "[1]" : `[1,${values.width}]`;
  const tail = `"outputs":[{"name":${JSON.stringify(only.name)},"datatype":"${only.datatype}","shape":${shape},"data":[`;

  return ({ answers, digest, release: answered }, id) => {
    const [answer] = answers;
    if (!answer || answers.length !== 1 || answer.source !== "model" || answer.reason !== null) return undefined;
    if (digest === null || answered !== release) return undefined;
    const data = values.of(answer);
    if (data === undefined) return undefined;
    const own = id === undefined ? "" : `"id":${JSON.stringify(id)},`;
    const sure = answer.confidence === null ? "" : `,"vedette_confidence":${answer.confidence}`;
    // Ids and digests are of plain letters: there is nothing in them to escape.
    return `${head}${own}"parameters":{"vedette_id":"${answer.id}","vedette_source":"model","vedette_cached":${answer.cached}${sure},"vedette_digest":"${digest}"},${tail}${data}]}]}`;
  };
}

/** How one answer's numbers are written; null where they are not the answer's own scores or value. */
function valuesOf(
  output: Manifest["output"],
  shape: readonly number[],
): { readonly width: number; of(answer: Answer): string | undefined } | null {
  if (output.task === "regression") {
    if (shape.slice(1).some((size) => size !== 1 && size !== -1) || shape.length > 2) return null;
    return { width: 1, of: ({ value }) => (value === null ? undefined : String(value)) };
  }
  if (output.task !== "classification" || shape.length !== 2 || shape[1] !== output.classes.length) return null;
  const width = output.classes.length;
  return {
    width,
    of({ scores }) {
      if (scores?.length !== width) return undefined;
      let text = String(scores[0]);
      for (let i = 1; i < width; i++) text += `,${scores[i]}`;
      return text;
    },
  };
}
