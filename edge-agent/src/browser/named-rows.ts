/** From the objects that app developers have to the rows that the core takes. */
import type { Manifest } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import type { Rows } from "@vedette/protocol/tensors";

/** One thing to predict for: values by field name; what is missing, null or undefined counts as missing. */
export type NamedRow = Readonly<Record<string, number | null | undefined>>;

/**
 * Rows [n][fields] in the order of the manifest's fields, NaN = missing.
 * @throws VedetteError invalid_input: the row and the field that is unknown or no number, and the fields that are known.
 */
export function toRows(manifest: Manifest, inputs: readonly NamedRow[]): Rows {
  const { fields, tensors } = manifest.input;
  if (inputs.length === 0) throw new VedetteError("invalid_input", "`inputs` is empty: give at least one row");
  const column = new Map(fields.map((field, i) => [field.name, i]));
  const single = tensors.every((tensor) => tensor.datatype === "FP32");
  const rows = new (single ? Float32Array : Float64Array)(inputs.length * fields.length).fill(Number.NaN);
  for (const [n, input] of inputs.entries()) {
    if (typeof input !== "object" || input === null) {
      throw new VedetteError("invalid_input", `inputs[${n}] is no object of values by field name`);
    }
    for (const [name, value] of Object.entries(input)) {
      const at = column.get(name);
      if (at === undefined) {
        const known = fields.map((field) => field.name).join(", ");
        throw new VedetteError(
          "invalid_input",
          `inputs[${n}] has an unknown field "${name}": the model knows ${known}`,
        );
      }
      if (value === null || value === undefined) continue;
      if (typeof value !== "number") {
        throw new VedetteError(
          "invalid_input",
          `inputs[${n}].${name} is a ${typeof value}: give a number, or leave it out`,
        );
      }
      rows[n * fields.length + at] = value;
    }
  }
  return rows;
}
