import { expect, test } from "vitest";
import type { ModelAnswer } from "../serve/decode-outputs.ts";
import { rainManifest } from "../serve/test/rig.ts";
import { rowPlanOf } from "./row-plan.ts";

const answer = (p: number): ModelAnswer => ({
  label: p > 0.5 ? "rain" : "dry",
  value: null,
  confidence: Math.max(p, 1 - p),
  scores: [1 - p, p],
  outputs: null,
});

test("[Y3] a counted row is the reference's features, whatever their order; one that leads nowhere is missing", () => {
  const plan = rowPlanOf(rainManifest(), ["temp", "out:label", "fog", "wind", "out:score:rain"]);
  const into = new Float32Array(10);
  const rows = Float32Array.of(0, 0, 7, Number.NaN);
  plan.write(into, 0, Float32Array.of(30, 12), 0, answer(0.75));
  plan.write(into, 5, rows, 2, answer(0.25));
  expect([...into]).toEqual([12, 1, Number.NaN, 30, 0.75, Number.NaN, 0, Number.NaN, 7, 0.25]);
});

test("[Y3] a category is counted by its code: known, never seen, missing", () => {
  const field = { kind: "category", name: "sky", tensor: "x", column: 0, required: true, outOfRange: "count" };
  const { input } = rainManifest();
  const manifest = rainManifest({ input: { ...input, fields: [{ ...field, categories: ["clear", "grey"] }] } });
  const plan = rowPlanOf(manifest, ["sky", "out:label"]);
  const into = new Float32Array(6);
  const rows = Float32Array.of(1, 2, Number.NaN);
  for (const row of [0, 1, 2]) plan.write(into, 2 * row, rows, row, { ...answer(0.9), label: "hail" });
  // Two known, so that 3 is "never seen": of the sky, and of the label.
  expect([...into]).toEqual([1, 3, 3, 3, Number.NaN, 3]);
});
