import fc from "fast-check";
import { expect, test } from "vitest";
import type { InputField, OutputSchema } from "./bundle.ts";
import { coarse, driftFeatures, maxDriftFeatures, maxKnownCategories } from "./drift-features.ts";

const column = { tensor: "x", required: true, outOfRange: "count" } as const;
const number = (name: string, at = 0): InputField => ({ ...column, name, kind: "number", column: at });
const category = (name: string, categories: string[]): InputField => ({
  ...{ ...column, name, kind: "category", column: 0 },
  categories,
});
const classes = (names: string[]): OutputSchema => ({
  task: "classification",
  classes: names,
  scores: { tensor: "p", activation: "none" },
  tensors: [{ name: "p", datatype: "FP32", shape: [-1, names.length] }],
});
const features = (fields: InputField[], output: OutputSchema, known?: Record<string, number[]>) =>
  driftFeatures({ input: { fields, tensors: [] }, output, drift: known ? { known } : {} });
const numbered = (count: number) => Array.from({ length: count }, (_, i) => `c${i}`);

test("[Y3] inputs in their order, then the answers: of two classes one score, and the predicted class", () => {
  const two = features([number("wind"), category("kind", ["a", "b"])], classes(["dry", "rain"]));
  expect(two.map(({ spec }) => spec)).toEqual([
    { name: "wind", kind: "number" },
    { name: "kind", kind: "category", known: 2 },
    { name: "out:score:rain", kind: "number" },
    { name: "out:label", kind: "category", known: 2 },
  ]);
  // Two that are known, and one never seen in training.
  expect([...(two[1]?.codes ?? [])]).toEqual([0, 1, 3]);
  const names = (output: OutputSchema) => features([], output).map(({ spec }) => spec.name);
  expect(names(classes(["a", "b", "c"]))).toEqual(["out:score:a", "out:score:b", "out:score:c", "out:label"]);
  expect(names(classes(numbered(100)))).toEqual(["out:confidence", "out:label"]);
  expect(names({ task: "regression", value: { tensor: "y" }, tensors: [] })).toEqual(["out:value"]);
  expect(names({ task: "tensor", tensors: [] })).toEqual([]);
});

test("[Y3] of many categories those that the manifest names have a bin each, the others are other", () => {
  const many = category("city", numbered(100));
  const [chosen] = features([many], classes(["a", "b"]), { city: [99, 3] });
  expect(chosen?.spec).toMatchObject({ known: 2 });
  expect([chosen?.codes?.[99], chosen?.codes?.[3], chosen?.codes?.[0], chosen?.codes?.[100]]).toEqual([0, 1, 2, 3]);
  expect(features([many], classes(["a", "b"]))[0]?.spec).toMatchObject({ known: maxKnownCategories });
  // A field of which the manifest could not name all: what is not named was seen in training.
  const [all] = features([category("id", numbered(1024))], classes(["a", "b"]));
  expect(all?.codes?.[1024]).toBe(maxKnownCategories);
});

test("[Y3] names are one each and fit the kernels, whatever the fields are called", () => {
  const name = fc.string({ minLength: 1, maxLength: 256, unit: "grapheme" });
  fc.assert(
    fc.property(
      fc.uniqueArray(fc.oneof(name, fc.constantFrom("out:label", "out:score:b")), { maxLength: 400 }),
      (all) => {
        const found = features(
          all.map((each, i) => number(each, i)),
          classes(["a", "b"]),
        ).map(({ spec }) => spec.name);
        expect(new Set(found).size).toBe(found.length);
        expect(found.length).toBe(Math.min(maxDriftFeatures, all.length + 2));
        for (const each of found) expect(new TextEncoder().encode(each).length).toBeLessThanOrEqual(255);
      },
    ),
    { numRuns: 30 },
  );
});

test("answers are counted to 12 binary digits, and what is no number stays none", () => {
  expect(coarse(0.1)).toBeCloseTo(0.1, 4);
  expect([coarse(0), coarse(1), coarse(-1)]).toEqual([0, 1, -1]);
  expect(coarse(Number.NaN)).toBeNaN();
  expect(coarse(Number.NEGATIVE_INFINITY)).toBe(Number.NEGATIVE_INFINITY);
  fc.assert(
    fc.property(fc.float({ noNaN: true, noDefaultInfinity: true, min: -(2 ** 100), max: 2 ** 100 }), (value) => {
      expect(Math.abs(coarse(value) - value)).toBeLessThanOrEqual(Math.abs(value) * 2 ** -12 + 1e-35);
      expect(coarse(coarse(value))).toBe(coarse(value));
    }),
  );
});
