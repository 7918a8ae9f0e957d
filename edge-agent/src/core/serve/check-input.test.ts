import type { Tensor } from "@vedette/protocol/tensors";
import { expect, test } from "vitest";
import type { PredictRequest } from "../agent.ts";
import { inputCheckOf } from "./check-input.ts";
import { rainManifest } from "./test/rig.ts";

const category = { kind: "category", tensor: "s", column: 0, required: false, categories: ["a", "b"] };
const manifest = (outOfRange: "count" | "refuse") =>
  rainManifest({
    input: {
      fields: [
        { ...category, name: "site", outOfRange },
        { kind: "number", name: "size", tensor: "u", column: 0, required: true, outOfRange: "count" },
      ],
      tensors: [
        { name: "s", datatype: "BYTES", shape: [-1, 1] },
        { name: "u", datatype: "UINT8", shape: [-1, 1] },
      ],
    },
    runtime: {
      ...rainManifest().runtime,
      inputs: [
        { name: "s", datatype: "BYTES", shape: [-1, 1] },
        { name: "u", datatype: "UINT8", shape: [-1, 1] },
      ],
    },
  });
const request = (rows: number[], texts: (string | null)[]): PredictRequest => ({
  model: "m",
  rows: Float32Array.from(rows),
  texts,
});

test("[O27] a category nobody knows is counted, or falls back where the schema says so", () => {
  const counted: Record<string, number> = {};
  const asked = request([0, 1, 2, 1, Number.NaN, 1], ["a", "moon", null]);
  expect(inputCheckOf(manifest("count"))(asked, counted)).toEqual({ n: 3, refused: null });
  expect(inputCheckOf(manifest("refuse"))(asked, counted)).toEqual({ n: 3, refused: [false, true, false] });
  expect(counted).toEqual({ site: 2 });
});

test.each([
  [256, "UINT8 holds 0 to 255"],
  [-1, "UINT8 holds 0 to 255"],
  [0.5, "an integer is expected"],
  [Number.NaN, "is missing"],
])("%s is no UINT8", (value, why) => {
  expect(() => inputCheckOf(manifest("count"))(request([0, value], ["a"]), {})).toThrow(why);
});

test("[O28] texts that are not a row's, and raw tensors of another shape or with NaN, are refused by name", () => {
  expect(() => inputCheckOf(manifest("count"))(request([0, 1], []), {})).toThrow("0 texts");
  const image = { name: "image", datatype: "FP32", shape: [-1, 2, -1] };
  const mean = {
    kind: "summary",
    name: "mean",
    tensor: "image",
    statistic: "mean",
    required: true,
    outOfRange: "count",
  };
  const check = inputCheckOf(rainManifest({ input: { fields: [mean], tensors: [image] } }));
  const ask = (tensor: Tensor | undefined, rows = [1]) =>
    check({ model: "m", rows: Float32Array.from(rows), ...(tensor && { tensors: { image: tensor } }) }, {});
  const data = new Float32Array(6);
  expect(ask({ datatype: "FP32", shape: [1, 2, 3], data })).toEqual({ n: 1, refused: null });
  expect(() => ask(undefined)).toThrow("image is missing");
  expect(() => ask({ datatype: "FP32", shape: [1, 3, 2], data })).toThrow("FP32 [1, 2, -1] is expected");
  expect(() => ask({ datatype: "FP64", shape: [1, 2, 3], data })).toThrow("image is FP64");
  expect(() => ask({ datatype: "FP32", shape: [1, 2, 3], data }, [Number.NaN])).toThrow("no missing values");
});
