/** What the model's outputs mean, inferred from their shapes, their answers to real rows, and the labels. Pure. */
import type { OutputSchema } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import type { Datatype, TensorSpec } from "@vedette/protocol/tensors";
import type { Output } from "./graph.ts";

export interface OutputEvidence {
  readonly declared: readonly { readonly name: string; readonly datatype: Datatype }[];
  /** The answers to the reference rows. */
  readonly answers: Readonly<Record<string, Output>>;
  readonly rows: number;
  /** Class names as the operator gave them. */
  readonly classes?: readonly string[] | undefined;
  /** As the graph itself names them, in the order of its scores. */
  readonly graphClasses?: readonly string[] | undefined;
  /** As the operator says; else it is inferred. */
  readonly task?: OutputSchema["task"] | undefined;
  /** The label column of the reference data, and whether it holds numbers. */
  readonly labels?: { readonly texts: readonly (string | null)[]; readonly numeric: boolean } | undefined;
}

const floats: readonly Datatype[] = ["FP32", "FP64", "FP16"];

/**
 * Classification where there is a label output, several scores a row, class names, or a label column of words;
 * regression where there is one number a row.
 * @throws VedetteError unsupported (outputs that fit neither), invalid_csv or invalid_argument (class names do not fit).
 */
export function inferOutput(evidence: OutputEvidence): OutputSchema {
  const tensors = evidence.declared.map(({ name, datatype }): TensorSpec => {
    const shape = evidence.answers[name]?.shape ?? [];
    if (shape[0] !== evidence.rows) {
      throw new VedetteError(
        "unsupported",
        `output "${name}" answers ${evidence.rows} rows with shape [${shape.join(", ")}]: its first dimension must be the rows'`,
      );
    }
    return { name, datatype, shape: [-1, ...shape.slice(1)] };
  });
  const one = (tensor: TensorSpec): boolean =>
    tensor.shape.length === 1 || (tensor.shape.length === 2 && tensor.shape[1] === 1);
  const numbers = tensors.filter((tensor) => floats.includes(tensor.datatype));
  const wide = numbers.filter((tensor) => tensor.shape.length === 2 && (tensor.shape[1] as number) > 1);
  const label = tensors.find((tensor) => !floats.includes(tensor.datatype) && one(tensor));
  const words = evidence.labels !== undefined && !evidence.labels.numeric;
  const single = numbers.length === 1 && wide.length === 0 && one(numbers[0] as TensorSpec) ? numbers[0] : undefined;

  if (evidence.task === "tensor") return { task: "tensor", tensors };
  if (evidence.task === "regression") {
    const value = numbers.find(one);
    if (value) return { task: "regression", value: { tensor: value.name }, tensors };
    throw new VedetteError(
      "invalid_argument",
      "--task regression, and no output is one number a row: --task tensor takes them all",
    );
  }
  const certain = evidence.task === "classification" || evidence.classes !== undefined;
  const scored = wide.length > 0 ? scoresAmong(wide) : undefined;
  if (scored) return classification(evidence, tensors, scored, label);
  // Several tensors of numbers and none that is called the probabilities: no guess is as good as all of them.
  if (!certain && (wide.length > 0 || (!single && !label))) return { task: "tensor", tensors };
  if (single && (evidence.classes || words)) return classification(evidence, tensors, single, label);
  if (single) return { task: "regression", value: { tensor: single.name }, tensors };
  throw new VedetteError(
    "unsupported",
    `the outputs ${tensors.map((t) => `"${t.name}" ${t.datatype} [${t.shape.join(", ")}]`).join(", ")} are neither one number a row ` +
      "(regression) nor scores [rows, classes] (classification): export the probabilities too, or say --task tensor to be answered with them as they are",
  );
}

function scoresAmong(wide: readonly TensorSpec[]): TensorSpec | undefined {
  const [first, second] = wide.length === 1 ? wide : wide.filter((tensor) => /prob/i.test(tensor.name));
  return second ? undefined : first;
}

function classification(
  evidence: OutputEvidence,
  tensors: TensorSpec[],
  scores: TensorSpec,
  label: TensorSpec | undefined,
): OutputSchema {
  const width = scores.shape[1] ?? 1;
  const seen = label ? [...new Set(evidence.answers[label.name]?.data.map(String))] : [];
  const classes = classNames(evidence, Math.max(width, 2), label?.datatype === "BYTES" ? seen : undefined);
  // A label output that speaks in other words than the class names would contradict the scores' own answer.
  const speaks = label !== undefined && seen.every((value) => classes.includes(value));
  return {
    task: "classification",
    classes,
    scores: {
      tensor: scores.name,
      activation: activationOf(evidence.answers[scores.name] as Output, width, scores.name),
    },
    ...(speaks ? { label: { tensor: label.name } } : {}),
    tensors,
  };
}

function activationOf(scores: Output, width: number, name: string): "none" | "softmax" | "sigmoid" {
  const values = (scores.data as readonly number[]).filter((value) => !Number.isNaN(value));
  const inUnit = values.every((value) => value >= -1e-4 && value <= 1 + 1e-4);
  if (width === 1) {
    if (!inUnit) return "sigmoid";
    throw new VedetteError(
      "unsupported",
      `output "${name}" is one probability a row: export both classes' probabilities, or the logit before the last sigmoid`,
    );
  }
  for (let at = 0; inUnit && at < scores.data.length; at += width) {
    let total = 0;
    for (let c = 0; c < width; c++) total += scores.data[at + c] as number;
    if (Math.abs(total - 1) > 1e-3) return "softmax";
  }
  return inUnit ? "none" : "softmax";
}

function classNames(evidence: OutputEvidence, count: number, spoken: readonly string[] | undefined): string[] {
  if (evidence.classes) {
    if (evidence.classes.length === count && new Set(evidence.classes).size === count) return [...evidence.classes];
    throw new VedetteError(
      "invalid_argument",
      `the model scores ${count} classes, and --classes names ${new Set(evidence.classes).size}: ${evidence.classes.join(", ")}`,
    );
  }
  const integers = Array.from({ length: count }, (_, i) => String(i));
  const known = evidence.graphClasses;
  if (known?.length === count && new Set(known).size === count) return [...known];
  if (evidence.labels) {
    const { texts, numeric } = evidence.labels;
    const distinct = [...new Set(texts.filter((text) => text !== null))];
    distinct.sort(numeric ? (a, b) => Number(a) - Number(b) : undefined);
    const said = (spoken ?? []).every((word) => distinct.includes(word));
    if (distinct.length === count && said) return distinct;
    if (!spoken && distinct.every((text) => integers.includes(text))) return integers;
    throw new VedetteError(
      "invalid_csv",
      `the model scores ${count} classes${spoken ? ` (it says ${spoken.slice(0, 5).join(", ")})` : ""}, and the label column holds ` +
        `${distinct.length} values: ${distinct.slice(0, 5).join(", ")}${distinct.length > 5 ? ", …" : ""}. Name them in the model's order with --classes`,
    );
  }
  if (!spoken) return integers;
  throw new VedetteError(
    "invalid_argument",
    `the model answers with words (${spoken.slice(0, 5).join(", ")}): name its ${count} classes in its order with --classes, or the label column with --label`,
  );
}
