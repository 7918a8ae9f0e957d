/** From answers to the output tensors that the bundle promises, and from those to a body: JSON, or with binary parts. */
import type { OutputSchema } from "@vedette/protocol/bundle";
import { concatBytes, utf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import { joinTensors } from "@vedette/protocol/feeds";
import { fromHalf, toHalf } from "@vedette/protocol/halves";
import { servedOutputs } from "@vedette/protocol/served-outputs";
import { type Tensor, type TensorSpec, tensorArrays } from "@vedette/protocol/tensors";
import type { Answer, Prediction } from "../../core/agent.ts";
import type { InferRequest } from "./request.ts";

export interface OutputTensor extends TensorSpec {
  readonly data: readonly (number | bigint | string)[];
}

/**
 * All tensors of answers that each have a source other than `none`.
 * @throws VedetteError unsupported where the bundle promises a type of tensor that its answers cannot be put in.
 */
export function writeTensors(answers: readonly Answer[], schema: OutputSchema): OutputTensor[] {
  if (schema.task === "tensor") return schema.tensors.map((spec) => whole(spec, answers));
  return servedOutputs(schema).map((spec) => {
    if (schema.task === "regression")
      return column(
        spec,
        answers.map((answer) => answer.value ?? Number.NaN),
      );
    if (spec.name === schema.label?.tensor) return labels(spec, answers);
    return scores(spec, answers, schema.classes);
  });
}

/** The rows' own parts, one below the other. @throws VedetteError unsupported where they differ in shape. */
function whole(spec: TensorSpec, answers: readonly Answer[]): OutputTensor {
  const parts = answers.map(({ outputs }) => outputs?.[spec.name] as Tensor);
  if (new Set(parts.map(({ shape }) => shape.join())).size > 1) {
    throw new VedetteError(
      "unsupported",
      `output ${spec.name} has another shape for each row: ask for one row at a time`,
    );
  }
  const { datatype, shape, data } = joinTensors(parts);
  if (datatype === "FP16") return { ...spec, shape: [...shape], data: Array.from(data as Uint16Array, fromHalf) };
  return { ...spec, shape: [...shape], data: Array.from<number | bigint | string>(data as string[]) };
}

function labels(spec: TensorSpec, answers: readonly Answer[]): OutputTensor {
  if (spec.datatype === "BYTES")
    return column(
      spec,
      answers.map((answer) => answer.label ?? ""),
    );
  return column(
    spec,
    answers.map((answer) => {
      const number = Number(answer.label);
      if (Number.isInteger(number)) return number;
      throw new VedetteError(
        "unsupported",
        `class ${answer.label} is no ${spec.datatype}: publish the model with a label tensor of BYTES`,
      );
    }),
  );
}

/** Two classes may have one column: the probability of the second. */
function scores(spec: TensorSpec, answers: readonly Answer[], classes: readonly string[]): OutputTensor {
  const all = answers.map((answer) => answer.scores ?? spread(answer, classes));
  const oneColumn = spec.shape.length < 2 || spec.shape.at(-1) === 1;
  if (oneColumn && classes.length === 2)
    return column(
      spec,
      all.map((row) => row[1] ?? Number.NaN),
    );
  return { ...spec, shape: [answers.length, classes.length], data: all.flat() };
}

/** A rule gives one class: what is left of certainty is spread evenly over the others. */
function spread(answer: Answer, classes: readonly string[]): number[] {
  const own = answer.confidence ?? 1;
  return classes.map((name) => (name === answer.label ? own : (1 - own) / (classes.length - 1)));
}

function column(spec: TensorSpec, data: (number | string)[]): OutputTensor {
  return {
    ...spec,
    shape: spec.shape.length < 2 ? [data.length] : [data.length, ...spec.shape.slice(1).map(() => 1)],
    data,
  };
}

/** Flat scalars about where the answer came from; for several rows each is a list with commas. */
export function writeParameters({ answers, digest }: Prediction): Record<string, string | number | boolean> {
  const [one] = answers;
  const parameters = one && answers.length === 1 ? parametersOfOne(one) : parametersOfMany(answers);
  if (digest !== null) parameters.vedette_digest = digest;
  return parameters;
}

/** By itself, since nearly every request asks for one row. */
function parametersOfOne(answer: Answer): Record<string, string | number | boolean> {
  const parameters: Record<string, string | number | boolean> = {
    vedette_id: answer.id,
    vedette_source: answer.source,
    vedette_cached: answer.cached,
  };
  if (answer.reason !== null) parameters.vedette_reason = answer.reason;
  if (answer.confidence !== null) parameters.vedette_confidence = answer.confidence;
  return parameters;
}

function parametersOfMany(answers: readonly Answer[]): Record<string, string | number | boolean> {
  const all = (of: (answer: Answer) => string | number | boolean | null) =>
    answers.map((answer) => of(answer) ?? "").join(",");
  const reasoned = answers.some((answer) => answer.reason !== null);
  const confident = answers.some((answer) => answer.confidence !== null);
  return {
    vedette_id: all((answer) => answer.id),
    vedette_source: all((answer) => answer.source),
    vedette_cached: all((answer) => answer.cached),
    ...(reasoned && { vedette_reason: all((answer) => answer.reason) }),
    ...(confident && { vedette_confidence: all((answer) => answer.confidence) }),
  };
}

/** JSON, which leaves in one write with its head if it stays a string; or JSON and behind it binary parts. */
export type InferBody =
  | { readonly kind: "text"; readonly text: string }
  | { readonly kind: "binary"; readonly bytes: Uint8Array; readonly headerLength: number };

/**
 * The body of an answer, with the outputs that were asked for.
 * @throws VedetteError invalid_input for an output the model does not have.
 */
export function writeBody(
  head: Readonly<Record<string, unknown>>,
  tensors: readonly OutputTensor[],
  request: Pick<InferRequest, "outputs" | "binaryOutput">,
): InferBody {
  const asked = request.outputs ?? tensors.map(({ name }) => ({ name, binary: request.binaryOutput }));
  const parts: Uint8Array[] = [];
  const outputs = asked.map(({ name, binary }) => {
    const tensor = tensors.find((candidate) => candidate.name === name);
    if (!tensor) {
      const known = tensors.map((candidate) => candidate.name).join(", ");
      throw new VedetteError("invalid_input", `output ${name} is none of this model's: it has ${known}`);
    }
    const { data, shape, datatype } = tensor;
    if (!binary) return { name, datatype, shape, data: jsonValues(tensor, data) };
    const bytes = toBinary(tensor);
    parts.push(bytes);
    return { name, datatype, shape, parameters: { binary_data_size: bytes.length } };
  });
  const text = JSON.stringify({ ...head, outputs });
  if (parts.length === 0) return { kind: "text", text };
  const header = utf8(text);
  return { kind: "binary", bytes: concatBytes([header, ...parts]), headerLength: header.length };
}

/** Booleans for BOOL, and every digit of an integer that no double holds. */
function jsonValues({ datatype }: OutputTensor, data: OutputTensor["data"]): readonly unknown[] {
  if (datatype === "BOOL") return data.map((value) => Boolean(value));
  if (datatype !== "INT64" && datatype !== "UINT64") return data;
  return data.map((value) => (typeof value === "bigint" ? rawJson(value) : value));
}

function rawJson(value: bigint): unknown {
  const number = Number(value);
  return Number.isSafeInteger(number)
    ? number
    : (JSON as unknown as { rawJSON(text: string): unknown }).rawJSON(String(value));
}

/** Raw little-endian values; texts each behind a u32 length. */
function toBinary({ datatype, data }: OutputTensor): Uint8Array {
  if (datatype === "BYTES") {
    return concatBytes(
      data.flatMap((value) => {
        const text = utf8(String(value));
        const length = new Uint8Array(4);
        new DataView(length.buffer).setUint32(0, text.length, true);
        return [length, text];
      }),
    );
  }
  const out = new tensorArrays[datatype](data.length);
  for (const [i, value] of data.entries()) {
    if (out instanceof BigInt64Array || out instanceof BigUint64Array) out[i] = BigInt(value);
    else out[i] = datatype === "FP16" ? toHalf(Number(value)) : Number(value);
  }
  return new Uint8Array(out.buffer);
}
