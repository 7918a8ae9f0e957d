/**
 * From named values, columns or raw tensors to what a model is asked with. Pure, and the same on both ends: the control
 * plane publishes with it, agents read requests, named rows and golden vectors by it.
 */
import type { InputField, Manifest } from "./bundle.ts";
import { fromHalf } from "./halves.ts";
import { isWide, type ModelInputs, type Rows, rowLength, type Tensor, type TensorSpec } from "./tensors.ts";

export type CategoryField = Extract<InputField, { kind: "category" }>;
export type ColumnField = Exclude<InputField, { kind: "summary" }>;

/** The input tensors that are carried whole: no field is a column of theirs. */
export function rawTensors({ fields, tensors }: Manifest["input"]): TensorSpec[] {
  const columned = new Set(fields.flatMap((field) => (field.kind === "summary" ? [] : [field.tensor])));
  return tensors.filter(({ name }) => !columned.has(name));
}

/** A category's place in rows: among those known, or their count where it is none of them. */
export function categoryCodes({ categories }: Pick<CategoryField, "categories">): (text: string) => number {
  const places = new Map(categories.map((text, place) => [text, place]));
  return (text) => places.get(text) ?? categories.length;
}

/**
 * @param read gives the value of a column for a row: a number (NaN = missing), or a category's text; null = missing.
 * @param tensors the raw ones, [n, …].
 */
export function buildInputs(
  input: Manifest["input"],
  n: number,
  read: (field: ColumnField, place: number, row: number) => number | string | null,
  tensors: Readonly<Record<string, Tensor>> = {},
): ModelInputs {
  const { fields } = input;
  const rows: Rows = new (isWide(input.tensors) ? Float64Array : Float32Array)(n * fields.length);
  const width = fields.length;
  const texts: (string | null)[] = [];
  const codes = fields.map((field) => (field.kind === "category" ? categoryCodes(field) : undefined));
  const summaries = new Map<string, Record<string, number>[]>();
  for (const [name, tensor] of Object.entries(tensors)) summaries.set(name, summaryOf(tensor, n));
  for (let row = 0; row < n; row++) {
    for (const [f, field] of fields.entries()) {
      let value: number;
      if (field.kind === "summary") value = summaries.get(field.tensor)?.[row]?.[field.statistic] ?? Number.NaN;
      else {
        const given = read(field, f, row);
        const code = codes[f];
        if (code) {
          const text = given === null ? null : String(given);
          texts.push(text);
          value = text === null ? Number.NaN : code(text);
        } else value = given === null ? Number.NaN : Number(given);
      }
      rows[row * width + f] = value;
    }
  }
  return {
    rows,
    ...(codes.some((code) => code) && { texts }),
    ...(summaries.size > 0 && { tensors }),
  };
}

/**
 * Mean, population standard deviation, least and greatest of each of the `n` rows, over all of a row's numbers in order;
 * NaN where one of them is.
 */
function summaryOf({ datatype, data, shape }: Tensor, n: number): Record<string, number>[] {
  const width = rowLength(shape);
  const at = (i: number): number => (datatype === "FP16" ? fromHalf(data[i] as number) : Number(data[i]));
  return Array.from({ length: n }, (_, row) => {
    let sum = 0;
    let squares = 0;
    let min = Number.POSITIVE_INFINITY;
    let max = Number.NEGATIVE_INFINITY;
    for (let i = row * width; i < (row + 1) * width; i++) {
      const value = at(i);
      sum += value;
      squares += value * value;
      if (value < min) min = value;
      if (value > max) max = value;
    }
    const mean = sum / width;
    if (Number.isNaN(mean)) return { mean, std: mean, min: mean, max: mean };
    return { mean, std: Math.sqrt(Math.max(0, squares / width - mean * mean)), min, max };
  });
}
