import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Manifest } from "./bundle.ts";
import { feederOfGraph, joinTensors, sliceTensor } from "./feeds.ts";
import { fromHalf, toHalf } from "./halves.ts";
import { buildInputs, rawTensors } from "./input-rows.ts";
import type { Tensor } from "./tensors.ts";

const column = (name: string, tensor: string, place = 0) => ({
  name,
  tensor,
  column: place,
  required: false,
  outOfRange: "count" as const,
});
const input: Manifest["input"] = {
  fields: [
    { kind: "number", ...column("temp", "t") },
    { kind: "category", ...column("site", "s", 1), categories: ["north", "south"] },
    { kind: "category", ...column("maker", "s"), categories: ["abc"] },
    { kind: "summary", name: "mean", tensor: "image", statistic: "mean", required: true, outOfRange: "count" },
    { kind: "summary", name: "std", tensor: "image", statistic: "std", required: true, outOfRange: "count" },
  ],
  tensors: [
    { name: "t", datatype: "FP16", shape: [-1, 1] },
    { name: "s", datatype: "BYTES", shape: [-1, 2] },
    { name: "image", datatype: "UINT8", shape: [-1, 2, 2] },
  ],
};
const image: Tensor = { datatype: "UINT8", shape: [3, 2, 2], data: Uint8Array.of(0, 4, 0, 4, 1, 1, 1, 1, 9, 9, 9, 9) };
const values = [
  [1.5, "south", "abc"],
  [null, "moon", null],
  [2, null, "xyz"],
];
const asked = buildInputs(input, 3, (_, place, row) => values[row]?.[place] ?? null, { image });

test("[M12] a category is its place, or past the last; missing is NaN; a raw tensor is told by its summary", () => {
  const none = Number.NaN;
  expect(rawTensors(input).map(({ name }) => name)).toEqual(["image"]);
  expect([...asked.rows]).toEqual([1.5, 1, 0, 2, 2, none, 2, none, 1, 0, 2, none, 1, 9, 0]);
  expect(asked.texts).toEqual(["south", "abc", "moon", null, null, "xyz"]);
});

test("[M13] the graph gets the texts as they came, also those nobody knows, and the empty one where none came", () => {
  const feed = feederOfGraph(input.tensors, input.fields);
  expect(feed(asked, 3)).toEqual({
    t: { datatype: "FP16", shape: [3, 1], data: Uint16Array.of(toHalf(1.5), toHalf(Number.NaN), toHalf(2)) },
    s: { datatype: "BYTES", shape: [3, 2], data: ["abc", "south", "", "moon", "xyz", ""] },
    image,
  });
});

test("a fixed batch repeats the last row, of texts and raw tensors too", () => {
  const fixed = input.tensors.map((spec) => ({ ...spec, shape: [4, ...spec.shape.slice(1)] }));
  const feeds = feederOfGraph(fixed, input.fields)(asked, 3);
  expect(feeds.s?.data.slice(4)).toEqual(["xyz", "", "xyz", ""]);
  expect(feeds.image?.data.slice(8)).toEqual(Uint8Array.of(9, 9, 9, 9, 9, 9, 9, 9));
});

test("[property] slices of a tensor, joined again, are the tensor", () => {
  fc.assert(
    fc.property(fc.array(fc.array(fc.float(), { minLength: 3, maxLength: 3 }), { minLength: 1 }), (rows) => {
      const tensor: Tensor = { datatype: "FP32", shape: [rows.length, 3], data: Float32Array.from(rows.flat()) };
      expect(joinTensors(rows.map((_, row) => sliceTensor(tensor, row, row + 1)))).toEqual(tensor);
    }),
  );
});

describe("halves", () => {
  test("every bit pattern that is a number comes back as it was", () => {
    for (let bits = 0; bits < 0x1_0000; bits++) {
      const value = fromHalf(bits);
      if (!Number.isNaN(value)) expect(toHalf(value)).toBe(bits);
    }
  });
  test("[property] a number becomes the nearest half, as the platform's own array has it", () => {
    const Halves = (globalThis as unknown as { Float16Array: { of(value: number): ArrayLike<number> } }).Float16Array;
    const numbers = fc.oneof(
      fc.float({ noNaN: true }),
      fc.double({ min: -70_000, max: 70_000, noNaN: true }),
      fc.double({ min: -1e-4, max: 1e-4, noNaN: true }),
    );
    fc.assert(
      fc.property(numbers, (value) => {
        expect(fromHalf(toHalf(value))).toBe(Halves.of(value)[0]);
      }),
      { numRuns: 2000 },
    );
    expect(Number.isNaN(fromHalf(toHalf(Number.NaN)))).toBe(true);
  });
});
