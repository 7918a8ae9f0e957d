import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { goldenHash } from "./golden.ts";
import { goldenAbi1 } from "./golden-run.ts";
import type { DriftReference, KernelErrorCode } from "./index.ts";
import { KernelError } from "./index.ts";
import { loadKernelsNode } from "./node.ts";

const simd = await loadKernelsNode("simd");
const scalar = await loadKernelsNode("scalar");

const f32 = fc.oneof(
  fc.float(),
  fc.constantFrom(0, -0, Number.NaN, Number.POSITIVE_INFINITY, Number.NEGATIVE_INFINITY, 1e-45, -1e-45, 1, 2),
);
/** Rows of two features. */
const rows = fc.array(fc.tuple(f32, f32), { maxLength: 80 }).map((pairs) => new Float32Array(pairs.flat()));

function codeOf(call: () => unknown): KernelErrorCode {
  try {
    call();
  } catch (error) {
    if (error instanceof KernelError) return error.code;
    throw error;
  }
  throw new Error("it was accepted");
}

function observed(reference: DriftReference, ...batches: Float32Array[]) {
  const state = reference.newState();
  for (const batch of batches) state.observe(batch);
  return state;
}

test("both builds and the abi give the golden hash", () => {
  expect(goldenHash(simd)).toBe(goldenAbi1);
  expect(goldenHash(scalar)).toBe(goldenAbi1);
  expect([simd.abi, scalar.abi]).toEqual([1, 1]);
});

test("SIMD and scalar agree on every input", () => {
  fc.assert(
    fc.property(rows, rows, (train, live) => {
      const [a, b] = [simd, scalar].map((kernels) => {
        const bytes = kernels.buildReference(["a", "b"], train);
        const state = observed(kernels.openReference(bytes), live);
        return { bytes, snapshot: state.snapshot(), report: state.report() };
      });
      expect(a).toEqual(b);
    }),
  );
});

for (const kernels of [simd, scalar]) {
  describe(`the ${kernels.variant} kernels`, () => {
    const ramp = Float32Array.from({ length: 400 }, (_, i) => (i % 2 ? i : -i) / 8);
    const bytes = kernels.buildReference(["a", "b"], ramp);
    const reference = kernels.openReference(bytes);
    afterAll(() => reference.free());

    test("a reference knows its names, rows and hash", () => {
      expect(reference).toMatchObject({ names: ["a", "b"], rows: 200, hash: expect.stringMatching(/^[0-9a-f]{16}$/) });
    });

    test("merging commutes, associates and equals one pass", () => {
      fc.assert(
        fc.property(rows, rows, rows, (a, b, c) => {
          const [x, y, z] = [a, b, c].map((batch) => observed(reference, batch).snapshot());
          const merged = (...parts: (Uint8Array | undefined)[]) => {
            const state = reference.newState();
            for (const part of parts) state.merge(part!);
            return state.snapshot();
          };
          const whole = observed(reference, a, b, c).snapshot();
          expect(merged(x, y, z)).toEqual(whole);
          expect(merged(z, x, y)).toEqual(whole);
          expect(merged(x, merged(y, z))).toEqual(whole);
        }),
      );
    });

    test("a snapshot restores to the same state, and a reset one to none", () => {
      const state = observed(reference, ramp);
      const back = reference.restore(state.snapshot());
      expect([back.n, back.report()]).toEqual([200, state.report()]);
      back.reset();
      expect([back.n, back.snapshot()]).toEqual([0, reference.newState().snapshot()]);
    });

    test("rows like the reference's do not drift, shifted ones do", () => {
      const shifted = ramp.map((x, i) => (i % 2 ? x + 20 : x));
      expect(
        observed(reference, ramp)
          .report()
          .map((f) => f.verdict),
      ).toEqual(["none", "none"]);
      const [a, b] = observed(reference, shifted).report();
      expect([a?.verdict, b?.verdict]).toEqual(["none", "drift"]);
      expect(b).toMatchObject({ name: "b", n: 200, missing: 0 });
      expect(b!.psi).toBeGreaterThan(b!.psiCritical);
      expect(b!.ksLow).toBeLessThanOrEqual(b!.ksHigh);
    });

    test.each([0, 1, 2, 49])("%i rows are insufficient", (n) => {
      const [a] = observed(reference, ramp.subarray(0, 2 * n)).report();
      expect(a).toMatchObject({ n, verdict: "insufficient" });
      expect(Number.isFinite(a!.psi + a!.ksLow + a!.ksHigh + a!.pValue)).toBe(true);
    });

    test("missing values are counted apart, infinities in the end bins", () => {
      const live = new Float32Array([Number.NaN, Number.POSITIVE_INFINITY, Number.NaN, Number.NEGATIVE_INFINITY]);
      expect(observed(reference, live).report()).toMatchObject([
        { n: 0, missing: 2 },
        { n: 2, missing: 0, ksLow: expect.closeTo(0.5, 1) },
      ]);
    });

    test("what is wrong with an input is told by a code", () => {
      const state = reference.newState();
      const other = kernels
        .openReference(kernels.buildReference(["a", "b"], ramp.subarray(2)))
        .newState()
        .snapshot();
      const abi2 = Uint8Array.from(state.snapshot(), (byte, i) => (i === 4 ? 2 : byte));
      expect(codeOf(() => kernels.buildReference([], ramp))).toBe("bad-names");
      expect(codeOf(() => kernels.buildReference(["a", "a"], ramp))).toBe("bad-names");
      expect(codeOf(() => kernels.buildReference(["a", "b", "c"], ramp))).toBe("bad-shape");
      expect(codeOf(() => state.observe(ramp.subarray(1)))).toBe("bad-shape");
      expect(codeOf(() => state.report(0))).toBe("bad-alpha");
      expect(codeOf(() => state.report(Number.NaN))).toBe("bad-alpha");
      expect(codeOf(() => state.merge(other))).toBe("reference-mismatch");
      expect(codeOf(() => reference.restore(abi2))).toBe("abi-mismatch");
      expect(codeOf(() => kernels.openReference(state.snapshot()))).toBe("reference-malformed");
      expect(codeOf(() => state.merge(bytes))).toBe("snapshot-malformed");
      expect(state.n).toBe(0);
    });

    test("hostile bytes are refused, or read as what they say", () => {
      const snapshot = observed(reference, ramp).snapshot();
      const state = reference.newState();
      fc.assert(
        fc.property(
          fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { maxLength: 4 }),
          fc.nat(),
          (flips, cut) => {
            for (const original of [bytes, snapshot]) {
              const hostile = original.slice(0, cut % 3 === 0 ? cut % original.length : undefined);
              for (const [at, flip] of flips) if (hostile.length > 0) hostile[at % hostile.length]! ^= flip;
              try {
                if (original === bytes) kernels.openReference(hostile).free();
                else state.merge(hostile);
              } catch (error) {
                expect(error).toBeInstanceOf(KernelError);
              }
            }
          },
        ),
        { numRuns: 500 },
      );
      state.reset();
      state.observe(ramp);
      expect(state.snapshot()).toEqual(snapshot);
    });

    test("freed memory is not used again", () => {
      const short = kernels.openReference(bytes);
      const state = short.newState();
      short.free();
      short.free();
      state.observe(ramp);
      expect(state.n).toBe(200);
      expect(codeOf(() => short.newState())).toBe("freed");
      state.free();
      expect(codeOf(() => state.snapshot())).toBe("freed");
      expect(codeOf(() => state.observe(ramp))).toBe("freed");
    });
  });
}
