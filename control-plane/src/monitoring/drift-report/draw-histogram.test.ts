import { readReferenceBins, readSnapshotCounts } from "@vedette/wasm-kernels/histograms";
import { loadKernelsNode } from "@vedette/wasm-kernels/node";
import fc from "fast-check";
import { expect, test } from "vitest";
import { drawHistogram } from "./draw-histogram.ts";

const kernels = await loadKernelsNode();

function draw(before: readonly number[], after: readonly number[], known?: number, texts?: readonly string[]) {
  const feature =
    known === undefined ? ({ name: "x", kind: "number" } as const) : ({ name: "x", kind: "category", known } as const);
  const builder = kernels.newReferenceBuilder([feature]);
  builder.sample(Float32Array.from(before));
  builder.count(Float32Array.from(before));
  const bytes = builder.finish();
  const state = kernels.openReference(bytes).newState();
  state.observe(Float32Array.from(after));
  const [bins, counts] = [readReferenceBins(bytes)[0], readSnapshotCounts(state.snapshot(), 1)[0]];
  if (!bins || !counts) throw new Error("one feature went in");
  return drawHistogram(bins, counts, texts);
}

test("shares of either side add up to one, whatever the values are", () => {
  const value = fc.oneof(fc.float(), fc.constantFrom(0, 1, -1, 1e30, Number.POSITIVE_INFINITY, Number.NaN));
  const rows = fc.array(value, { minLength: 1, maxLength: 300 });
  fc.assert(
    fc.property(rows, rows, (before, after) => {
      const { bars } = draw(before, after);
      for (const [side, values] of [["reference", before] as const, ["current", after] as const]) {
        const total = bars.reduce((sum, bar) => sum + bar[side], 0);
        const some = values.some((x) => !Number.isNaN(x)) && bars.length > 0;
        expect(total).toBeCloseTo(some ? 1 : 0, 9);
      }
      for (const { reference, current } of bars) expect(Math.min(reference, current)).toBeGreaterThanOrEqual(0);
    }),
    { numRuns: 100 },
  );
});

test("evenly spread values give even bars, and what lies beyond the reference is at the ends", () => {
  const before = Array.from({ length: 12_800 }, (_, i) => i);
  const { bars, missing } = draw(before, [-5, 20_000, 20_001, Number.NaN]);
  const inner = bars.slice(1, -1);
  expect(inner.length).toBe(20);
  for (const { reference } of inner) expect(reference).toBeCloseTo(126 / 128 / 20, 6);
  expect([bars[0]?.current, bars.at(-1)?.current]).toEqual([1 / 3, 2 / 3]);
  expect([bars[0]?.label, bars.at(-1)?.label]).toEqual(["below 100", "from 12700"]);
  expect(missing).toEqual({ reference: 0, current: 0.25 });
});

test("a constant is one bar between what is below and above", () => {
  const { bars } = draw(new Array(200).fill(7), [7, 7, 6, 8]);
  expect(bars).toEqual([
    { label: "below 7", reference: 0, current: 0.25 },
    { label: "7", reference: 1, current: 0.5 },
    { label: "from 7", reference: 0, current: 0.25 },
  ]);
});

test("a category has a bar for each text, one for the rare and one for those never seen", () => {
  const { bars } = draw([0, 0, 1, 2], [0, 1, 3, 3], 2, ["sun", "rain"]);
  expect(bars).toEqual([
    { label: "sun", reference: 0.5, current: 0.25 },
    { label: "rain", reference: 0.25, current: 0.25 },
    { label: "other", reference: 0.25, current: 0 },
    { label: "never seen before", reference: 0, current: 0.5 },
  ]);
  expect(draw([0, 0, 0], [0], 1).bars).toEqual([{ label: "category 0", reference: 1, current: 1 }]);
});
