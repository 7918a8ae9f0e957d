import type { OutputSchema } from "@vedette/protocol/bundle";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Tensor, TensorData } from "../ports.ts";
import { decodeOutputs, neededOutputs } from "./decode-outputs.ts";

const classes = ["0", "1", "2"];
type Classification = Extract<OutputSchema, { task: "classification" }>;
const schema = (change: Partial<Classification> = {}): Classification => ({
  task: "classification",
  classes,
  scores: { tensor: "p", activation: "none" },
  tensors: [{ name: "p", datatype: "FP32", shape: [-1, 3] }],
  ...change,
});
const tensor = (data: TensorData, shape: number[]): Tensor => ({ datatype: "FP32", shape, data });
const scores = (...values: number[]) => ({ p: tensor(Float64Array.from(values), [values.length / 3, 3]) });

describe("classification", () => {
  test("probabilities as they are; the label is the greatest", () => {
    expect(decodeOutputs(scores(0.25, 0.5, 0.25, 1, 0, 0), schema(), 2)).toEqual([
      { label: "1", value: null, confidence: 0.5, scores: [0.25, 0.5, 0.25], outputs: null },
      { label: "0", value: null, confidence: 1, scores: [1, 0, 0], outputs: null },
    ]);
  });

  test("[property] softmax sums to one, keeps the order and survives huge scores", () => {
    const softmax = schema({ scores: { tensor: "p", activation: "softmax" } });
    const score = fc.double({ min: -1e6, max: 1e6, noNaN: true });
    fc.assert(
      fc.property(fc.tuple(score, score, score), (row) => {
        const [answer] = decodeOutputs(scores(...row), softmax, 1);
        expect(answer?.scores?.reduce((sum, p) => sum + p, 0)).toBeCloseTo(1, 12);
        expect(answer?.label).toBe(classes[row.indexOf(Math.max(...row))]);
      }),
    );
  });

  test.each([[[2]], [[2, 1]]])("one sigmoid score of shape %j stands for the second of two classes", (shape) => {
    const two = schema({ classes: ["dry", "rain"], scores: { tensor: "p", activation: "sigmoid" } });
    const decoded = decodeOutputs({ p: tensor(Float32Array.from([0, Math.log(3)]), shape) }, two, 2);
    expect(decoded.map((answer) => answer?.label)).toEqual(["dry", "rain"]);
    expect(decoded[1]?.scores?.[1]).toBeCloseTo(0.75);
  });

  test.each([
    ["text", ["2", "0"], ["2", "0"]],
    ["int64", BigInt64Array.from([2n, 0n]), ["2", "0"]],
  ])("a label tensor of %s decides, and confidence is that label's", (_name, labels, want) => {
    const labelled = schema({ label: { tensor: "l" } });
    const outputs = { ...scores(0.5, 0.25, 0.25, 0.5, 0.25, 0.25), l: tensor(labels, [2]) };
    expect(neededOutputs(labelled)).toEqual(["p", "l"]);
    const decoded = decodeOutputs(outputs, labelled, 2);
    expect(decoded.map((answer) => answer?.label)).toEqual(want);
    expect(decoded.map((answer) => answer?.confidence)).toEqual([0.25, 0.5]);
  });

  test("an integer that names no class is its place; one that is neither fails", () => {
    const named = schema({ classes: ["dry", "fog", "rain"], label: { tensor: "l" } });
    const outputs = (label: bigint) => ({ ...scores(0.5, 0.25, 0.25), l: tensor(BigInt64Array.from([label]), [1]) });
    expect(decodeOutputs(outputs(2n), named, 1)[0]?.label).toBe("rain");
    expect(() => decodeOutputs(outputs(3n), named, 1)).toThrow("label 3, which is none of the classes");
  });
});

test("NaN and infinite outputs are no answers, row by row", () => {
  const decoded = decodeOutputs(scores(Number.NaN, 0, 1, 0, 0, 1, 0, Number.POSITIVE_INFINITY, 0), schema(), 3);
  expect(decoded.map((answer) => answer?.label ?? null)).toEqual([null, "2", null]);
});

test("regression: [n] or [n, 1], floats or integers", () => {
  const regression: OutputSchema = { task: "regression", value: { tensor: "y" }, tensors: schema().tensors };
  expect(neededOutputs(regression)).toEqual(["y"]);
  const y = tensor(Float64Array.from([1.5, Number.NaN]), [2, 1]);
  expect(decodeOutputs({ y }, regression, 2).map((answer) => answer?.value ?? null)).toEqual([1.5, null]);
  expect(decodeOutputs({ y: tensor(BigInt64Array.from([7n]), [1]) }, regression, 1)[0]?.value).toBe(7);
});

test.each([
  ["a missing output", {}, "gave no output p"],
  ["too few rows", scores(1, 0, 0), "2 rows of 3 numbers"],
  ["a wrong width", { p: tensor(new Float32Array(4), [2, 2]) }, "2 rows of 3 numbers"],
  ["text", { p: tensor(["a", "b", "c", "d", "e", "f"], [2, 3]) }, "2 rows of 3 numbers"],
])("%s is a failure of the model", (_name, outputs, message) => {
  expect(() => decodeOutputs(outputs, schema(), 2)).toThrow(message);
});
