/** The same values under the same names, whatever the two versions make of their order. */
import type { InputField, Manifest } from "@vedette/protocol/bundle";
import fc from "fast-check";
import { expect, it } from "vitest";
import { rainManifest } from "../serve/test/rig.ts";
import { bytesOf, pairInputsOf } from "./pair-inputs.ts";
import { sampled } from "./sampled.ts";

const number = (name: string, required = true): InputField => ({
  ...{ kind: "number", name, tensor: "x", column: 0, required, outOfRange: "count" },
});
const category = (name: string, categories: string[]): InputField => ({
  ...{ kind: "category", name, tensor: "t", column: 0, required: true, outOfRange: "count", categories },
});
function asks(fields: InputField[], task: "classification" | "regression" = "classification"): Manifest {
  const made = rainManifest();
  const given = fields.map((field, column) => ({ ...field, column }));
  const tensors = [
    { name: "x", datatype: "FP32" as const, shape: [-1, -1] },
    ...(fields.some(({ kind }) => kind === "category")
      ? [{ name: "t", datatype: "BYTES" as const, shape: [-1, -1] }]
      : []),
  ];
  const output = task === "regression" ? { task, value: { tensor: "p" }, tensors: made.output.tensors } : made.output;
  return { ...made, input: { fields: given, tensors }, output } as Manifest;
}

it("fields change places with their values, whatever their order", () => {
  const names = ["a", "b", "c", "d", "e"];
  fc.assert(
    fc.property(
      fc.shuffledSubarray(names, { minLength: 1 }),
      fc.array(fc.array(fc.float({ noNaN: true }), { minLength: 5, maxLength: 5 }), { minLength: 1, maxLength: 4 }),
      (wanted, values) => {
        const rows = Float32Array.from(values.flat());
        const copy = pairInputsOf(asks(names.map((name) => number(name))), asks(wanted.map((name) => number(name))));
        const given = copy({ rows }, values.length);
        const want = values.flatMap((row) => wanted.map((name) => row[names.indexOf(name)]));
        expect([...given.rows]).toEqual(want);
        // A copy: whoever asked may use its memory again.
        rows.fill(7);
        expect([...given.rows]).toEqual(want);
      },
    ),
  );
});

it("texts go by their names, and are coded by the categories of the one that is asked", () => {
  const from = asks([category("wind", ["n", "s"]), number("temp"), category("sky", ["clear"])]);
  const to = asks([category("sky", ["grey", "clear"]), category("wind", ["s"]), number("temp")]);
  const copy = pairInputsOf(from, to);
  const given = copy({ rows: Float32Array.of(1, 20, 0, 2, 21, Number.NaN), texts: ["s", "clear", "west", null] }, 2);
  expect(given.texts).toEqual(["clear", "s", null, "west"]);
  expect([...given.rows]).toEqual([1, 0, 20, Number.NaN, 1, 21]);
  expect(bytesOf(given)).toBeGreaterThan(6 * 4);
});

it("what nobody gives is missing where it may be, and refused in words where it is required", () => {
  const from = asks([number("a")]);
  expect([
    ...pairInputsOf(from, asks([number("b", false), number("a")]))({ rows: Float32Array.of(3) }, 1).rows,
  ]).toEqual([Number.NaN, 3]);
  expect(() => pairInputsOf(from, asks([number("b"), number("a")]))).toThrow(/field b, which it requires/);
  expect(() => pairInputsOf(from, asks([number("a")], "regression"))).toThrow(/it is a regression/);
});

it("a sample is about as large as it says, over numbers of any size", () => {
  for (const share of [0.01, 0.1, 0.5, 0.9]) {
    for (const from of [0, 2 ** 31, 2 ** 40]) {
      let chosen = 0;
      for (let n = from; n < from + 100_000; n++) if (sampled(n, share)) chosen++;
      expect(chosen / 100_000).toBeCloseTo(share, 2);
    }
  }
  expect(sampled(3, 1)).toBe(true);
});
