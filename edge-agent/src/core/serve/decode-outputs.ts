/** From the graph's outputs to answers. Pure: model-slot, prove and the control plane's gate read outputs by it. */
import type { OutputSchema } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import { sliceTensor } from "@vedette/protocol/feeds";
import { fromHalf } from "@vedette/protocol/halves";
import type { Tensor } from "../ports.ts";

/** What the model says of one row. */
export interface ModelAnswer {
  readonly label: string | null;
  readonly value: number | null;
  readonly confidence: number | null;
  readonly scores: readonly number[] | null;
  /** The row's own part of every output, where the bundle names no task. */
  readonly outputs: Readonly<Record<string, Tensor>> | null;
}

/** The graph outputs that `decodeOutputs` reads, and so all that a run is asked for. */
export function neededOutputs(output: OutputSchema): string[] {
  if (output.task === "tensor") return output.tensors.map(({ name }) => name);
  if (output.task === "regression") return [output.value.tensor];
  return output.label ? [output.scores.tensor, output.label.tensor] : [output.scores.tensor];
}

/**
 * Reads the first `n` rows. A row with NaN or infinite outputs is null: no answer of a model.
 * @param outputs by tensor name, row-major; scores [n, classes] (or [n] or [n, 1] with sigmoid), label [n], value [n].
 * @throws VedetteError model_failed where a tensor is missing, too short, or of a type that cannot be read.
 */
export function decodeOutputs(
  outputs: Readonly<Record<string, Tensor>>,
  output: OutputSchema,
  n: number,
): (ModelAnswer | null)[] {
  if (output.task === "tensor") return rawAnswers(outputs, output, n);
  if (output.task === "regression") {
    const values = numbersOf(outputs, output.value.tensor, n, [1]).data;
    return Array.from({ length: n }, (_, i) => {
      const value = Number(values[i]);
      return Number.isFinite(value) ? { label: null, value, confidence: null, scores: null, outputs: null } : null;
    });
  }
  const { classes } = output;
  const { tensor, activation } = output.scores;
  const widths = activation === "sigmoid" && classes.length === 2 ? [classes.length, 1] : [classes.length];
  const { data, width } = numbersOf(outputs, tensor, n, widths);
  const labels = output.label && labelsOf(outputs, output.label.tensor, n);
  return Array.from({ length: n }, (_, i) => {
    const scores = new Array<number>(classes.length).fill(0);
    for (let c = 0; c < width; c++) {
      const score = Number(data[i * width + c]);
      if (!Number.isFinite(score)) return null;
      scores[c] = score;
    }
    // The order of the raw scores decides: close ones may round to equal probabilities.
    const raw = argmax(width === classes.length ? scores : [0, scores[0] as number]);
    if (activation === "softmax") softmax(scores);
    else if (activation === "sigmoid") sigmoid(scores, width);
    const best = labels ? classIndex(labels[i] as string | number | bigint, classes) : raw;
    return { label: classes[best] as string, value: null, confidence: scores[best] as number, scores, outputs: null };
  });
}

function tensorOf(outputs: Readonly<Record<string, Tensor>>, name: string): Tensor {
  const tensor = Object.hasOwn(outputs, name) ? outputs[name] : undefined;
  if (!tensor) throw new VedetteError("model_failed", `the model gave no output ${name}`);
  return tensor;
}

/** @param widths values a row may have; which it is follows from the tensor's shape. */
function numbersOf(
  outputs: Readonly<Record<string, Tensor>>,
  name: string,
  n: number,
  widths: readonly number[],
): { data: ArrayLike<number | bigint>; width: number } {
  const { data, shape } = tensorOf(outputs, name);
  const rows = shape[0] ?? 1;
  const width = widths.find((candidate) => rows * candidate === data.length);
  if (Array.isArray(data) || width === undefined || rows < n) {
    throw new VedetteError(
      "model_failed",
      `output ${name} is [${shape.join(", ")}] of ${data.length} values: ${n} rows of ${widths.join(" or ")} numbers were expected`,
    );
  }
  const halves = tensorOf(outputs, name).datatype === "FP16";
  return { data: halves ? Array.from(data as Uint16Array, fromHalf) : (data as ArrayLike<number | bigint>), width };
}

/** @throws VedetteError model_failed where an output has not a row for each. */
function rawAnswers(
  outputs: Readonly<Record<string, Tensor>>,
  schema: OutputSchema,
  n: number,
): (ModelAnswer | null)[] {
  const given = schema.tensors.map(({ name }) => {
    const tensor = tensorOf(outputs, name);
    if ((tensor.shape[0] ?? 0) >= n) return [name, tensor] as const;
    throw new VedetteError("model_failed", `output ${name} is [${tensor.shape.join(", ")}]: ${n} rows were expected`);
  });
  return Array.from({ length: n }, (_, i) => {
    const row = Object.fromEntries(given.map(([name, tensor]) => [name, sliceTensor(tensor, i, i + 1)]));
    if (!Object.values(row).every(isAnswer)) return null;
    return { label: null, value: null, confidence: null, scores: null, outputs: row };
  });
}

/** Whether all numbers of a tensor are some. */
function isAnswer({ datatype, data }: Tensor): boolean {
  if (datatype === "FP16") return (data as Uint16Array).every((bits) => (bits & 0x7c00) !== 0x7c00);
  if (datatype === "FP32" || datatype === "FP64") return (data as Float64Array).every(Number.isFinite);
  return true;
}

function labelsOf(outputs: Readonly<Record<string, Tensor>>, name: string, n: number) {
  const { data } = tensorOf(outputs, name);
  if (data.length < n) throw new VedetteError("model_failed", `output ${name} has ${data.length} labels of ${n}`);
  return data;
}

/** A label is a class's name, as text or as an integer; an integer that names none is its place. */
function classIndex(label: string | number | bigint, classes: readonly string[]): number {
  const named = classes.indexOf(String(label));
  if (named >= 0) return named;
  const place = typeof label === "string" ? -1 : Number(label);
  if (Number.isInteger(place) && place >= 0 && place < classes.length) return place;
  throw new VedetteError("model_failed", `the model gave the label ${label}, which is none of the classes`);
}

function argmax(scores: readonly number[]): number {
  let best = 0;
  for (let c = 1; c < scores.length; c++) if ((scores[c] as number) > (scores[best] as number)) best = c;
  return best;
}

function softmax(scores: number[]): void {
  // The greatest is taken off first: exp overflows above 709.
  const top = scores[argmax(scores)] as number;
  let sum = 0;
  for (let c = 0; c < scores.length; c++) {
    const weight = Math.exp((scores[c] as number) - top);
    scores[c] = weight;
    sum += weight;
  }
  for (let c = 0; c < scores.length; c++) scores[c] = (scores[c] as number) / sum;
}

function sigmoid(scores: number[], width: number): void {
  for (let c = 0; c < width; c++) scores[c] = 1 / (1 + Math.exp(-(scores[c] as number)));
  if (width === 1) {
    const second = scores[0] as number;
    scores[0] = 1 - second;
    scores[1] = second;
  }
}
