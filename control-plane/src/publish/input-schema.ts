/** What the model may be asked with: each field's range and whether it may be missing, as the data shows. Pure. */
import type { InputField } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import type { TensorSpec } from "@vedette/protocol/tensors";
import type { FieldPlace } from "./choose-fields.ts";
import { finite } from "./golden.ts";
import type { Output } from "./graph.ts";

/**
 * Whether rows with missing values get finite answers.
 * @throws VedetteError invalid_model where a complete row does not.
 */
export function copesWithMissing(
  rows: Float64Array,
  n: number,
  width: number,
  answers: Record<string, Output>,
): boolean {
  let copes = true;
  for (let row = 0; row < n; row++) {
    if (finite(answers, row, n)) continue;
    const values = rows.subarray(row * width, (row + 1) * width);
    if (!values.some(Number.isNaN)) {
      throw new VedetteError(
        "invalid_model",
        `the model answers NaN or infinity to a complete row of the reference data (${values.slice(0, 8).join(", ")}): it cannot be served`,
      );
    }
    copes = false;
  }
  return copes;
}

/**
 * The field in column `at` of the rows [n][width]. It may be missing where it is missing in the data and the model copes.
 * @throws VedetteError invalid_csv where a value is missing and the tensor has no way to say so.
 */
export function inputField(
  { name, tensor, column }: FieldPlace,
  rows: Float64Array,
  width: number,
  at: number,
  inputs: readonly TensorSpec[],
  copes: boolean,
): InputField {
  let min = Number.POSITIVE_INFINITY;
  let max = Number.NEGATIVE_INFINITY;
  let nulls = false;
  for (let i = at; i < rows.length; i += width) {
    const value = rows[i] as number;
    if (Number.isNaN(value)) nulls = true;
    else if (Number.isFinite(value)) {
      if (value < min) min = value;
      if (value > max) max = value;
    }
  }
  const datatype = inputs.find((input) => input.name === tensor)?.datatype;
  if (nulls && datatype !== "FP32" && datatype !== "FP64") {
    throw new VedetteError(
      "invalid_csv",
      `column "${name}" has missing values, and input "${tensor}" is ${datatype}, which has no way to say so: fill them`,
    );
  }
  const range = min <= max ? { min, max } : {};
  return { name, kind: "number", tensor, column, required: !(nulls && copes), ...range, outOfRange: "count" };
}

/** The graph's input with the width that the fields give it. */
export function settled(input: TensorSpec, places: readonly FieldPlace[]): TensorSpec {
  if (input.shape.length === 1) return input;
  return { ...input, shape: [-1, places.filter((place) => place.tensor === input.name).length] };
}
