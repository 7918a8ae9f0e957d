/** Which columns of the reference data are the model's inputs, and where each of their values goes. Pure. */
import { VedetteError } from "@vedette/protocol/errors";
import type { TensorSpec } from "@vedette/protocol/tensors";
import type { CsvColumn } from "./csv-table.ts";

/** Where a value of a row goes: column `column` of input tensor `tensor`. */
export interface FieldPlace {
  readonly tensor: string;
  readonly column: number;
  /** The column of the CSV, and the field's name from here on. */
  readonly name: string;
}

export interface ColumnChoice {
  readonly columns: readonly CsvColumn[];
  /** Columns named by the operator, in the model's order. */
  readonly features?: readonly string[] | undefined;
  readonly label?: string | undefined;
}

/**
 * The named features, or every numeric column but the label. Several inputs of width one are matched by name where the
 * columns have their names, otherwise by order.
 * @throws VedetteError invalid_csv naming the columns and the width the model expects.
 */
export function chooseFields(inputs: readonly TensorSpec[], choice: ColumnChoice): FieldPlace[] {
  const known = choice.columns.map((column) => column.name);
  for (const name of [...(choice.features ?? []), ...(choice.label === undefined ? [] : [choice.label])]) {
    if (!known.includes(name)) {
      throw new VedetteError(
        "invalid_csv",
        `the reference data has no column "${name}"; its columns are ${list(known)}`,
      );
    }
  }
  if (choice.label !== undefined && choice.features?.includes(choice.label)) {
    throw new VedetteError("invalid_csv", `"${choice.label}" is named as the label and as a feature: leave one out`);
  }
  const others = choice.columns.filter((column) => column.name !== choice.label);
  const texts = inputs.filter(({ datatype }) => datatype === "BYTES");
  // Tensors of texts take the columns of texts, all others those of numbers, each in their order.
  const candidates =
    texts.length === 0
      ? others.filter((column) => column.numeric)
      : texts.length === inputs.length && inputs.length === 1
        ? others.filter((column) => !column.numeric)
        : inOrder(inputs, others);
  const byName = inputs.length > 1 && choice.features === undefined && inputs.every((i) => known.includes(i.name));
  const names = byName ? inputs.map((i) => i.name) : (choice.features ?? candidates.map((column) => column.name));
  const repeated = names.find((name, i) => names.indexOf(name) !== i);
  if (repeated !== undefined) throw new VedetteError("invalid_csv", `feature "${repeated}" is named twice`);

  const widths = inputs.map((input) => (input.shape.length === 1 ? 1 : (input.shape[1] as number)));
  const open = widths.filter((width) => width === -1).length;
  const fixed = widths.reduce((total, width) => total + Math.max(width, 0), 0);
  // One input of variable width takes what the others leave; several cannot be told apart.
  if (open > 1 || (open === 0 && names.length !== fixed) || (open === 1 && names.length <= fixed)) {
    const what = choice.features ? "--features names" : "the reference data has numeric columns";
    throw new VedetteError(
      "invalid_csv",
      `the model takes ${open > 0 ? `more than ${fixed}` : fixed} values a row (${describe(inputs)}), and ${what} ${names.length}: ` +
        `${list(names)}. Name the model's inputs in order with --features${choice.label === undefined ? ", and the label with --label" : ""}`,
    );
  }
  const places = inputs.flatMap((input, i) => {
    const width = widths[i] === -1 ? names.length - fixed : (widths[i] as number);
    return Array.from({ length: width }, (_, column) => ({ tensor: input.name, column }));
  });
  return places.map((place, i) => ({ ...place, name: names[i] as string }));
}

/** As many columns of its kind as each input takes; where they do not suffice, all of them, for the error to tell. */
function inOrder(inputs: readonly TensorSpec[], columns: readonly CsvColumn[]): readonly CsvColumn[] {
  const numbers = columns.filter((column) => column.numeric || column.boolean);
  const texts = columns.filter((column) => !column.numeric && !column.boolean);
  const taken = inputs.flatMap(({ datatype, shape }) => {
    const from = datatype === "BYTES" ? texts : numbers;
    const width = shape.length === 1 ? 1 : (shape[1] as number);
    return from.splice(0, width === -1 ? from.length : width);
  });
  return [...taken, ...numbers];
}

function describe(inputs: readonly TensorSpec[]): string {
  return inputs.map((input) => `${input.name} ${input.datatype} [${input.shape.join(", ")}]`).join("; ");
}

function list(names: readonly string[]): string {
  return names.length === 0 ? "none" : names.map((name) => `"${name}"`).join(", ");
}
