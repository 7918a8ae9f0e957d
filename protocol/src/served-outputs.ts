/** Which of its outputs a version shows to clients. */
import type { OutputSchema } from "./bundle.ts";
import type { TensorSpec } from "./tensors.ts";

/** The tensors a bundle's answers are given in: scores and label, the value, or all of them. */
export function servedOutputs(schema: OutputSchema): TensorSpec[] {
  if (schema.task === "tensor") return [...schema.tensors];
  const names = schema.task === "regression" ? [schema.value.tensor] : [schema.label?.tensor, schema.scores.tensor];
  return schema.tensors.filter((tensor) => names.includes(tensor.name));
}
