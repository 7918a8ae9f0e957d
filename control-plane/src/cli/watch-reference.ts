/** From a CSV to what a watched model is held against: fields, classes, and a drift reference. The rows themselves stay here. */
import { maxCategories } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import { categoryCodes } from "@vedette/protocol/input-rows";
import type { WatchedField, WatchSpec } from "@vedette/protocol/watch-api";
import type { Kernels } from "@vedette/wasm-kernels";
import type { CsvTable } from "../publish/csv-table.ts";

export interface ReferenceFlags {
  readonly reference?: string;
  readonly features?: readonly string[];
  readonly label?: string;
  readonly task?: WatchSpec["task"];
  readonly driftWindow?: number;
}
const alpha = 0.001;
/** More would be no classes, but a text of its own for each row. */
const mostClasses = 100;

/** @throws VedetteError invalid_csv naming the column that is not there, or that no field can be. */
export async function describeReference(
  csv: CsvTable,
  { features, label, task, driftWindow }: ReferenceFlags,
  kernels: Pick<Kernels, "buildReference">,
): Promise<{ spec: WatchSpec; reference: string }> {
  const known = csv.columns.map(({ name }) => name);
  for (const name of [...(features ?? []), ...(label === undefined ? [] : [label])]) {
    if (known.includes(name)) continue;
    throw new VedetteError(
      "invalid_csv",
      `the reference data have no column "${name}"; its columns are ${known.join(", ")}`,
    );
  }
  const wanted = features ?? csv.columns.flatMap(({ name, numeric }) => (numeric && name !== label ? [name] : []));
  if (wanted.length === 0)
    throw new VedetteError("invalid_csv", "the reference data have no numeric column: name the inputs by --features");
  const columns = await Promise.all(wanted.map((name) => readField(csv, name)));
  const rows = new Float32Array(csv.rows * columns.length);
  for (const [f, { numbers }] of columns.entries()) {
    for (let row = 0; row < csv.rows; row++) rows[row * columns.length + f] = numbers[row] as number;
  }
  const reference = kernels.buildReference([...wanted], rows);
  const classes = label === undefined ? [] : await classesOf(csv, label, task);
  // A tenth of the reference at most, so that the reference may be taken for the truth.
  const windowRows = driftWindow ?? Math.min(256, Math.max(50, Math.floor(csv.rows / 10)));
  const inferred = label === undefined ? "unknown" : classes.length > 0 ? "classification" : "regression";
  return {
    spec: {
      fields: columns.map(({ field }) => field),
      task: task ?? inferred,
      classes,
      drift: { alpha, windowRows },
    },
    reference: Buffer.from(reference).toString("base64"),
  };
}

async function readField(csv: CsvTable, name: string): Promise<{ field: WatchedField; numbers: ArrayLike<number> }> {
  const column = csv.columns.find((one) => one.name === name);
  if (column?.numeric || column?.boolean) return { field: { kind: "number", name }, numbers: await csv.numbers(name) };
  const texts = await csv.texts(name);
  const counts = new Map<string, number>();
  for (const text of texts) if (text !== null) counts.set(text, (counts.get(text) ?? 0) + 1);
  const frequent = [...counts].sort(([, a], [, b]) => b - a).slice(0, maxCategories);
  const categories = frequent.map(([text]) => text).sort();
  const code = categoryCodes({ categories });
  return {
    field: { kind: "category", name, categories },
    numbers: texts.map((text) => (text === null ? Number.NaN : code(text))),
  };
}

/**
 * The classes that a label column names: those of a text, of 0 and 1, or of any number where the task says that they are classes.
 */
async function classesOf(csv: CsvTable, label: string, task: WatchSpec["task"] | undefined): Promise<string[]> {
  const numeric = csv.columns.some(({ name, numeric: is }) => name === label && is);
  if (numeric && task !== undefined && task !== "classification") return [];
  const texts = await csv.texts(label);
  const classes = [...new Set(texts.filter((text) => text !== null))];
  const binary = classes.length === 2 && classes.every((text) => text === "0" || text === "1");
  if (numeric && task === undefined && !binary) return [];
  if (classes.length > mostClasses)
    throw new VedetteError(
      "invalid_csv",
      `column "${label}" has ${classes.length} values, over ${mostClasses}: is it a label?`,
    );
  return numeric ? classes.sort((a, b) => Number(a) - Number(b)) : classes.sort();
}
