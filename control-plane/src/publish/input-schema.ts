/** What the model may be asked with: each field's range or categories, and whether it may be missing, as the data shows. Pure. */
import { type InputField, maxCategories } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import type { ColumnField } from "@vedette/protocol/input-rows";
import { type Datatype, isInteger, type Rows, type TensorSpec } from "@vedette/protocol/tensors";
import type { FieldPlace } from "./choose-fields.ts";

/** A value as the data have it: a number, or a text. */
export const isMissing = (value: number | string | null | undefined): boolean => value === null || Number.isNaN(value);

/**
 * The field of a column. It may be missing where it is missing in the data; `required` says so where the model does not cope.
 * @throws VedetteError invalid_csv where a value is missing or not whole and the tensor has no way to say so.
 */
export function columnField(
  { name, tensor, column }: FieldPlace,
  values: Float64Array | readonly (string | null)[],
  datatype: Datatype,
  outOfRange: ColumnField["outOfRange"],
): ColumnField {
  const nulls = (values as readonly (number | string | null)[]).some(isMissing);
  const base = { name, tensor, column, required: !nulls, outOfRange };
  if (!(values instanceof Float64Array)) return { kind: "category", ...base, categories: categoriesOf(values) };
  if (nulls && isInteger(datatype)) {
    throw new VedetteError(
      "invalid_csv",
      `column "${name}" has missing values, and input "${tensor}" is ${datatype}, which has no way to say so: fill them`,
    );
  }
  const broken = isInteger(datatype) ? values.find((value) => !Number.isInteger(value)) : undefined;
  if (broken !== undefined) {
    throw new VedetteError(
      "invalid_csv",
      `column "${name}" holds ${broken}, and input "${tensor}" is ${datatype}: it takes whole numbers`,
    );
  }
  return { kind: "number", ...base, ...rangeOf(values) };
}

/** The most frequent ones, in the order of the alphabet. */
function categoriesOf(values: readonly (string | null)[]): string[] {
  const counts = new Map<string, number>();
  for (const value of values) if (value !== null) counts.set(value, (counts.get(value) ?? 0) + 1);
  const byCount = [...counts].sort(([, a], [, b]) => b - a).slice(0, maxCategories);
  return byCount.map(([text]) => text).sort();
}

/** Range of column `at` of rows [n][width]. */
export function summaryRange(rows: Rows, width: number, at: number): { min?: number; max?: number } {
  return rangeOf(Float64Array.from({ length: rows.length / width }, (_, row) => rows[row * width + at] as number));
}

function rangeOf(values: Float64Array): { min?: number; max?: number } {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  for (const value of values) {
    if (!Number.isFinite(value)) continue;
    if (value < min) min = value;
    if (value > max) max = value;
  }
  return min <= max ? { min, max } : {};
}

/** Every field is required of a model that does not cope with what is missing; texts always may be the empty one. */
export function settleRequired(field: InputField, copes: boolean): InputField {
  return field.kind === "number" ? { ...field, required: field.required || !copes } : field;
}

/** The graph's input with the width that the fields give it. */
export function settled(input: TensorSpec, places: readonly FieldPlace[]): TensorSpec {
  if (input.shape.length === 1) return input;
  return { ...input, shape: [input.shape[0] ?? -1, places.filter((place) => place.tensor === input.name).length] };
}
