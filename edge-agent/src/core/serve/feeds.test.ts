import type { Manifest } from "@vedette/protocol/bundle";
import type { Rows } from "@vedette/protocol/tensors";
import { describe, expect, test } from "vitest";
import { feederOf } from "./feeds.ts";
import { rainManifest } from "./test/rig.ts";

const feedsOf = (manifest: Manifest, rows: Rows, n: number) => feederOf(manifest)({ rows }, n);
const field = (name: string, tensor: string, column: number) => ({
  name,
  kind: "number",
  tensor,
  column,
  required: true,
  outOfRange: "count",
});
const withInputs = (fields: object[], inputs: object[]) =>
  rainManifest({ runtime: { ...rainManifest().runtime, inputs }, input: { fields, tensors: inputs } });

test("one FP32 tensor in the order of the fields is the rows themselves, copied", () => {
  const rows = new Float32Array([1, 2, 3, Number.NaN]);
  const { x } = feedsOf(rainManifest(), rows, 2);
  expect(x).toEqual({ datatype: "FP32", shape: [2, 2], data: rows });
  expect(x?.data).not.toBe(rows);
});

describe("columns go where their fields say", () => {
  const manifest = withInputs(
    [field("c", "a", 1), field("b", "n", 0), field("a", "a", 0), field("d", "i", 0), field("e", "f", 0)],
    [
      { name: "a", datatype: "FP64", shape: [-1, 2] },
      { name: "n", datatype: "INT64", shape: [-1, -1] },
      { name: "i", datatype: "INT32", shape: [-1, 1] },
      { name: "f", datatype: "FP32", shape: [-1] },
    ],
  );

  test("several tensors of four types", () => {
    expect(feedsOf(manifest, new Float64Array([1, 2, 3, 4, 5, 11, 12, 13, 14, 15]), 2)).toEqual({
      a: { datatype: "FP64", shape: [2, 2], data: new Float64Array([3, 1, 13, 11]) },
      n: { datatype: "INT64", shape: [2, 1], data: new BigInt64Array([2n, 12n]) },
      i: { datatype: "INT32", shape: [2, 1], data: new Int32Array([4, 14]) },
      f: { datatype: "FP32", shape: [2], data: new Float32Array([5, 15]) },
    });
  });
});

test("a fixed batch is filled with the last row", () => {
  const manifest = withInputs([field("a", "x", 0)], [{ name: "x", datatype: "FP32", shape: [3, 1] }]);
  expect(feedsOf(manifest, new Float32Array([1, 2]), 2).x).toEqual({
    datatype: "FP32",
    shape: [3, 1],
    data: new Float32Array([1, 2, 2]),
  });
});

test("what cannot be fed is named", () => {
  const outside = withInputs([field("a", "x", 2)], [{ name: "x", datatype: "FP32", shape: [-1, 2] }]);
  expect(() => feedsOf(outside, new Float32Array(1), 1)).toThrow("outside its 2 columns");
  const text = withInputs([field("a", "x", 0)], [{ name: "x", datatype: "BYTES", shape: [-1, 1] }]);
  expect(() => feedsOf(text, new Float32Array(1), 1)).toThrow("field a is a number, and x BYTES");
});
