/** What an operator may want to know of the bundle that was built, in whole sentences. Pure. */
import { type InputField, maxCategories, type OutputSchema } from "@vedette/protocol/bundle";
import type { Unzipped } from "./zip-map.ts";

/** Of what was changed in the graph, and which of its outputs nobody will see. */
export function rewriteNotes({ outputs }: Unzipped, output: OutputSchema): string[] {
  const read: string[] =
    output.task === "classification"
      ? [output.scores.tensor, output.label?.tensor ?? ""]
      : output.task === "regression"
        ? [output.value.tensor]
        : output.tensors.map(({ name }) => name);
  const unread = output.tensors.flatMap(({ name }) => (read.includes(name) ? [] : [name]));
  return [
    ...outputs.map(
      (name) => `ZipMap was taken out: output "${name}" is the tensor of scores itself, and not a list of maps.`,
    ),
    ...(unread.length > 0
      ? [`Output ${unread.join(", ")} is not answered; --task tensor answers with all of them.`]
      : []),
  ];
}

/** Of what the model and its data are good for. @param rows of reference data; undefined where there are none. */
export function notesOn(
  output: OutputSchema,
  fields: readonly InputField[],
  copes: boolean,
  rows: number | undefined,
): string[] {
  const notes: string[] = [];
  if (!copes) notes.push("The model answers NaN where a value is missing, so every field is required.");
  if (rows === undefined) {
    notes.push("Published without reference data: golden vectors are of noise, and no drift can be told.");
  } else if (rows < 500)
    notes.push(`Only ${rows} rows of reference data: drift verdicts will be slow to come. 1,000 or more are better.`);
  const constant = fields.filter(
    (field) => field.kind !== "category" && field.min !== undefined && field.min === field.max,
  );
  if (constant.length > 0)
    notes.push(
      `${constant.map(({ name }) => name).join(", ")} never varies in the reference data: any other value will look like drift.`,
    );
  for (const field of fields) {
    if (field.kind === "category" && field.categories.length === maxCategories)
      notes.push(`${field.name} has over ${maxCategories} categories: all but the most frequent count as unknown.`);
  }
  if (fields.some(({ kind }) => kind === "summary"))
    notes.push(
      "Its input is watched and logged by the mean, deviation, least and greatest of each row, not value by value.",
    );
  if (output.task === "tensor")
    notes.push("Published without a task: its outputs are answered as they are, and not logged.");
  if (output.task === "regression")
    notes.push("Published as a regression; name --classes if the one output is a class's logit.");
  return notes;
}
