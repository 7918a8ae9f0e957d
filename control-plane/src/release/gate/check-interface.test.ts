import type { Manifest } from "@vedette/protocol/bundle";
import type { TensorSpec } from "@vedette/protocol/tensors";
import { expect, test } from "vitest";
import { checkInterface } from "./check-interface.ts";

const x: TensorSpec = { name: "X", datatype: "FP32", shape: [-1, 2] };
const label: TensorSpec = { name: "label", datatype: "INT64", shape: [-1] };
const scores: TensorSpec = { name: "probabilities", datatype: "FP32", shape: [-1, 2] };
const field = (name: string, column = 0, required = true) => ({ kind: "number", name, tensor: "X", column, required });

/** Of a manifest, what clients see. */
function shows({
  inputs = [x],
  fields = [field("a", 0), field("b", 1)],
  outputs = [label, scores],
  classes = ["no", "yes"],
} = {}): Manifest {
  const output = { task: "classification", classes, tensors: outputs };
  const named = { label: { tensor: outputs[0]?.name }, scores: { tensor: outputs[1]?.name, activation: "none" } };
  return { input: { tensors: inputs, fields }, output: { ...output, ...named } } as unknown as Manifest;
}
const said = (candidate: Manifest) => checkInterface(candidate, { version: 1, manifest: shows() });

test("[K30] what clients of the champion send is taken, and what they read is answered", () => {
  expect(said(shows()).passed).toBe(true);
  expect(said(shows({ inputs: [{ ...x, shape: [1, -1] }] })).passed).toBe(true);
  expect(said(shows({ fields: [field("a", 0), field("b", 1), field("c", 2, false)] })).passed).toBe(true);
  expect(checkInterface(shows(), undefined).passed).toBeNull();
});

test.each([
  ["no input X (it has input)", { inputs: [{ ...x, name: "input" }] }],
  ["it wants an input input", { inputs: [{ ...x, name: "input" }] }],
  ["input X is FP64, was FP32", { inputs: [{ ...x, datatype: "FP64" as const }] }],
  ["input X has shape [-1, 3], was [-1, 2]", { inputs: [{ ...x, shape: [-1, 3] }] }],
  ["it wants a column c", { fields: [field("a"), field("c")] }],
  ["a is column 1 of X, was column 0 of X", { fields: [field("b", 0), field("a", 1)] }],
  ["no output label (it has output_label, probabilities)", { outputs: [{ ...label, name: "output_label" }, scores] }],
  ["output label is BYTES, was INT64", { outputs: [{ ...label, datatype: "BYTES" as const }, scores] }],
])("[K30] %s: it does not pass, and is told with what to do", (why, changed) => {
  const check = said(shows(changed));
  expect(check).toMatchObject({ name: "interface", passed: false });
  expect(check.why).toContain(why);
  expect(check.why).toContain("override");
});

test.each([
  ['it never answers "yes" any more, and it answers "fails"', ["no", "fails"]],
  ['it answers "perhaps", which no client knows', ["no", "yes", "perhaps"]],
  ['it never answers "no", "yes" any more, and it answers "0", "1"', ["0", "1"]],
  ['score 2 is of "no", was score 1 ("yes", "no", was "no", "yes")', ["yes", "no"]],
])("[K31] %s: it does not pass, and says so by the classes' names", (why, classes) => {
  const check = said(shows({ classes }));
  expect(check).toMatchObject({ name: "interface", passed: false });
  expect(check.why).toContain(why);
  expect(check.why).toContain("override");
});

test("[K31] a model of another task is another interface, whatever its outputs are called", () => {
  const regression = { task: "regression", value: { tensor: "probabilities" }, tensors: [label, scores] };
  const candidate = { ...shows(), output: regression } as unknown as Manifest;
  expect(said(candidate).why).toContain("it is a regression model, was a classification model");
});
