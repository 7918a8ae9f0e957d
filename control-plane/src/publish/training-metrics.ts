/** How the model does on the very data it is published with: lineage, not proof. Pure. */
import type { OutputSchema } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import { rowOf } from "./evaluate.ts";
import type { Output } from "./graph.ts";

export type TrainingMetrics =
  | { readonly rows: number; readonly accuracy: number }
  /** `r2` is null where the labels do not vary. */
  | { readonly rows: number; readonly r2: number | null; readonly mae: number };

/**
 * Over the rows that have a label and a finite answer.
 * @param labels class names, or numbers as texts for a regression; null where missing.
 * @returns undefined where the outputs have no task.
 * @throws VedetteError invalid_csv where the labels are none that the model could answer.
 */
export function trainingMetrics(
  output: OutputSchema,
  answers: Readonly<Record<string, Output>>,
  labels: readonly (string | null)[],
): TrainingMetrics | undefined {
  const n = labels.length;
  if (output.task === "tensor") return undefined;
  if (output.task === "classification") {
    const pairs = namedLabels(labels, output.classes).flatMap((want, row) =>
      want === null ? [] : [{ want, got: classOf(output, answers, row, n) }],
    );
    const right = pairs.filter(({ want, got }) => want === got).length;
    if (!pairs.some(({ want }) => output.classes.includes(want))) {
      const found = [...new Set(pairs.map(({ want }) => want))].slice(0, 3).join(", ");
      throw new VedetteError(
        "invalid_csv",
        `no label is one of the classes ${output.classes.join(", ")}${found === "" ? "" : ` (labels are ${found})`}: they must be written as --classes names them`,
      );
    }
    return { rows: pairs.length, accuracy: right / pairs.length };
  }
  const values = answers[output.value.tensor] as Output;
  const pairs = labels.flatMap((label, row) => {
    const want = label === null ? Number.NaN : Number(label);
    const got = Number(rowOf(values, row, n)[0]);
    return Number.isFinite(want) && Number.isFinite(got) ? [{ want, got }] : [];
  });
  if (pairs.length === 0)
    throw new VedetteError("invalid_csv", "the label column holds no number to compare a regression with");
  const mean = pairs.reduce((total, { want }) => total + want, 0) / pairs.length;
  const spread = pairs.reduce((total, { want }) => total + (want - mean) ** 2, 0);
  const error = pairs.reduce((total, { want, got }) => total + (want - got) ** 2, 0);
  const mae = pairs.reduce((total, { want, got }) => total + Math.abs(want - got), 0) / pairs.length;
  return { rows: pairs.length, r2: spread > 0 ? 1 - error / spread : null, mae };
}

/** Labels that count 0, 1, … are indices where the classes have names of their own. */
export function namedLabels(
  labels: readonly (string | null)[],
  classes: readonly string[],
): readonly (string | null)[] {
  if (labels.some((label) => label !== null && classes.includes(label))) return labels;
  return labels.map((label) => (label === null ? null : (classes[Number(label)] ?? label)));
}

/** The class that the model says, by its label output or its greatest score. */
export function classOf(
  output: Extract<OutputSchema, { task: "classification" }>,
  answers: Readonly<Record<string, Output>>,
  row: number,
  n: number,
): string | undefined {
  if (output.label) return String(rowOf(answers[output.label.tensor] as Output, row, n)[0]);
  const scores = rowOf(answers[output.scores.tensor] as Output, row, n) as readonly number[];
  if (scores.length === 1) return output.classes[Number((scores[0] as number) > 0)];
  return output.classes[scores.indexOf(Math.max(...scores))];
}
