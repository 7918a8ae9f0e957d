import fc from "fast-check";
import { expect, test } from "vitest";
import { readReferenceBins, readSnapshotCounts } from "./histograms.ts";
import { loadKernelsNode } from "./node.ts";

const kernels = await loadKernelsNode();
const sum = (numbers: Float64Array) => numbers.reduce((total, number) => total + number, 0);

function referenceOf(rows: Float32Array): Uint8Array {
  const builder = kernels.newReferenceBuilder([
    { name: "größe", kind: "number" },
    { name: "kind", kind: "category", known: 2 },
  ]);
  builder.sample(rows);
  builder.count(rows);
  return builder.finish();
}
const value = fc.oneof(
  fc.float({ noDefaultInfinity: true }),
  fc.constantFrom(0, 1, Number.NaN, Number.POSITIVE_INFINITY),
);
const row = fc.tuple(value, fc.constantFrom(0, 1, 2, 3, Number.NaN));

test("[H1] bins that are shown are those that the kernels counted: each value stands between the edges of its bin", () => {
  fc.assert(
    fc.property(
      fc.array(row, { minLength: 60, maxLength: 400 }),
      fc.array(row, { maxLength: 300 }),
      (before, after) => {
        const bytes = referenceOf(Float32Array.from(before.flat()));
        const [number, category] = readReferenceBins(bytes);
        expect(number?.feature).toEqual({ name: "größe", kind: "number" });
        expect(category).toMatchObject({ feature: { name: "kind", kind: "category", known: 2 }, edges: null });

        const state = kernels.openReference(bytes).newState();
        state.observe(Float32Array.from(after.flat()));
        const [seen, codes] = readSnapshotCounts(state.snapshot(), 2);
        const edges = number?.edges as Float32Array;
        for (const [rows, counts] of [[before, number?.counts] as const, [after, seen] as const]) {
          const bins = new Float64Array(128);
          const present = rows.map(([x]) => Math.fround(x)).filter((x) => !Number.isNaN(x));
          for (const x of present) bins[edges.filter((edge) => edge <= x).length]! += 1;
          expect(counts).toEqual({ bins, missing: rows.length - present.length });
        }
        for (const code of [0, 1, 2]) {
          expect(codes?.bins[code + 1]).toBe(after.filter(([, c]) => c === code).length);
        }
        expect(sum(codes?.bins as Float64Array) + (codes?.missing ?? 0)).toBe(after.length);
      },
    ),
    { numRuns: 60 },
  );
});

test("wide counts come back, and bytes of something else are refused by code", () => {
  const bytes = referenceOf(Float32Array.from({ length: 400 }, (_, i) => (i % 2 === 0 ? i : i % 3)));
  const reference = kernels.openReference(bytes);
  const state = reference.newState();
  state.observe(new Float32Array(2 * 100_000).fill(1));
  for (let i = 0; i < 12; i++) state.merge(state.snapshot());
  const [first] = readSnapshotCounts(state.snapshot(), 2);
  expect(Math.max(...(first?.bins ?? []))).toBe(100_000 * 2 ** 12);
  const codeOf = (read: () => unknown) => {
    try {
      return read();
    } catch (error) {
      return (error as { code?: string }).code;
    }
  };
  expect(codeOf(() => readReferenceBins(state.snapshot()))).toBe("reference-malformed");
  expect(codeOf(() => readReferenceBins(bytes.subarray(0, 300)))).toBe("reference-malformed");
  expect(codeOf(() => readSnapshotCounts(bytes, 2))).toBe("snapshot-malformed");
  expect(codeOf(() => readReferenceBins(bytes.with(4, 9)))).toBe("abi-mismatch");
});
