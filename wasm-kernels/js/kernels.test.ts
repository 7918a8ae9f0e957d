import fc from "fast-check";
import { afterAll, describe, expect, test } from "vitest";
import { goldenHash } from "./golden.ts";
import { goldenAbi2 } from "./golden-run.ts";
import type { DriftReference, FeatureSpec, KernelErrorCode, Kernels } from "./index.ts";
import { KernelError, kernelAbi } from "./index.ts";
import { loadKernelsNode, nativeIsBuilt } from "./node.ts";

const simd = await loadKernelsNode("simd");
const scalar = await loadKernelsNode("scalar");
/** Built only where somebody wants it; in CI always. */
const native = nativeIsBuilt() ? [await loadKernelsNode("native")] : [];
const builds = [simd, scalar, ...native];

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

/** A number and a category of three known codes. */
const mixed: readonly FeatureSpec[] = [
  { name: "x", kind: "number" },
  { name: "c", kind: "category", known: 3 },
];

function built(kernels: Kernels, features: readonly FeatureSpec[], train: Float32Array): Uint8Array {
  const builder = kernels.newReferenceBuilder(features);
  builder.sample(train);
  builder.count(train);
  return builder.finish();
}

test.each([simd, scalar])("[X1] the $variant build and the abi give the golden hash", (kernels) => {
  expect([goldenHash(kernels), kernels.abi]).toEqual([goldenAbi2, kernelAbi]);
});

test.skipIf(native.length === 0)("[X1] the native build gives the golden hash", () => {
  expect(native.map(goldenHash)).toEqual([goldenAbi2]);
});

test("[X1] all builds agree on every input", () => {
  fc.assert(
    fc.property(rows, rows, (train, live) => {
      const [first, ...others] = builds.map((kernels) => {
        const bytes = built(kernels, mixed, train);
        const reference = kernels.openReference(bytes);
        const state = observed(reference, live);
        const fleet = reference.newFleetBank();
        fleet.step(state.snapshot());
        return { bytes, saved: state.save(), report: state.report(), fleet: fleet.save() };
      });
      for (const other of others) expect(other).toEqual(first);
    }),
  );
});

test("[X3] what one build wrote, each other reads and goes on with", () => {
  const of = builds.map((kernels) => kernels.openReference(built(kernels, mixed, new Float32Array(60).map(Math.sin))));
  fc.assert(
    fc.property(rows, rows, (before, after) => {
      for (const writer of of) {
        const state = observed(writer, before);
        const [saved, snapshot] = [state.save(), state.snapshot()];
        state.merge(snapshot);
        state.observe(after);
        for (const reader of of) {
          const back = reader.restore(saved);
          back.merge(snapshot);
          back.observe(after);
          expect([back.save(), back.report()]).toEqual([state.save(), state.report()]);
        }
      }
    }),
    { numRuns: 30 },
  );
});

for (const kernels of builds) {
  describe(`the ${kernels.variant} kernels`, () => {
    const sorted = Float32Array.from({ length: 400 }, (_, i) => (i % 2 ? i : -i) / 8);
    // In another order, or the reference would take its rows for one long trend.
    const ramp = sorted.map((_, i) => sorted[((i >> 1) * 77 * 2 + (i % 2)) % 400]!);
    const bytes = kernels.buildReference(["a", "b"], ramp);
    const reference = kernels.openReference(bytes);
    afterAll(() => reference.free());

    test("a reference knows what it is of", () => {
      expect(reference).toMatchObject({
        names: ["a", "b"],
        rows: 200,
        hash: expect.stringMatching(/^[0-9a-f]{16}$/),
        joint: true,
      });
      const other = kernels.openReference(built(kernels, mixed, ramp));
      expect(other.features).toEqual(mixed);
      expect(other.lag).toBe(Math.max(...other.lags));
      expect(other.tolerance).toBeGreaterThan(0.1);
    });

    test("[X2] merging commutes, associates and equals one pass", () => {
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

    test("rows one by one, few at once and all at once count alike, and while memory grows", () => {
      const many = Float32Array.from({ length: 20_000 }, (_, i) => ramp[i % 400]!);
      const wanted = observed(reference, many).save();
      const state = reference.newState();
      for (let at = 0; at < 1000; at += 2) state.observe(many.subarray(at, at + 2));
      const others = Array.from({ length: 100 }, () => reference.newState());
      for (let at = 1000; at < 10_000; at += 90) state.observe(many.subarray(at, at + 90));
      state.observe(many.subarray(10_000));
      expect(state.save()).toEqual(wanted);
      for (const other of others) other.free();
    });

    test("[X3] a state saved anywhere goes on as if nothing had been", () => {
      fc.assert(
        fc.property(rows, rows, fc.boolean(), fc.integer({ min: 1, max: 9 }), (before, after, rolls, lag) => {
          const whole = reference.newState({ alpha: 0.05, threshold: 20, deadZone: 0, lag });
          whole.observe(before);
          if (rolls) whole.roll();
          const back = reference.restore(whole.save());
          for (const state of [whole, back]) state.observe(after);
          expect([back.report(), back.save()]).toEqual([whole.report(), whole.save()]);
        }),
      );
    });

    test("[X4] a snapshot holds the window and never the bank", () => {
      const state = observed(reference, ramp, ramp);
      const { logE } = state.report();
      const other = observed(
        reference,
        ramp.map((x) => x + 50),
      );
      expect(other.report().logE).toBeGreaterThan(logE);
      state.merge(other.snapshot());
      expect([state.n, state.report().logE]).toEqual([600, logE]);
      state.roll();
      expect([state.n, state.snapshot()]).toEqual([0, reference.newState().snapshot()]);
      expect(state.report()).toMatchObject({ n: 0, logE, joint: null });
    });

    test("rows like the reference's do not drift, shifted ones do", () => {
      const shifted = ramp.map((x, i) => (i % 2 ? x + 20 : x));
      const same = observed(reference, ramp).report();
      expect(same.features.map((f) => f.verdict)).toEqual(["none", "none"]);
      expect(same.alarm).toBe(false);
      const moved = reference.newState({ lag: 1 });
      moved.observe(shifted);
      const { features, topFeature, joint, n } = moved.report();
      const [a, b] = features;
      expect([a?.verdict, b?.verdict, topFeature, n]).toEqual(["none", "drift", "b", 200]);
      expect(b).toMatchObject({ name: "b", n: 200, missing: 0, pMissing: 1 });
      expect(b!.psi).toBeGreaterThan(b!.psiCritical);
      expect(b!.ksLow).toBeLessThanOrEqual(b!.ksHigh);
      expect(b!.w1).toBeGreaterThan(15);
      expect(observed(reference, sorted).report().features[1]!.lag1).toBeGreaterThan(0.9);
      expect(joint!.p).toBeLessThan(1e-6);
    });

    test("[X5] the bank alarms once its evidence is enough, names the feature, and goes on over windows", () => {
      const state = reference.newState({ lag: 1, threshold: 1000 });
      let seen = 0;
      while (!state.report().alarm && seen < 200) {
        state.observe(Float32Array.of(ramp[2 * (seen % 200)]!, 60));
        seen++;
        if (seen % 10 === 0 && !state.report().alarm) state.roll();
      }
      expect(seen).toBeLessThan(150);
      expect(state.report()).toMatchObject({ alarm: true, topFeature: "b" });
      expect(state.report().logE).toBeGreaterThanOrEqual(Math.log(1000) - 1e-6);
    });

    test("codes of a category are counted apart, and what was never seen is found", () => {
      const train = Float32Array.from({ length: 2000 }, (_, i) => (i % 2 ? Math.floor(i / 2) % 4 : (i * 7) % 31));
      const of = kernels.openReference(built(kernels, mixed, train));
      const state = of.newState({ lag: 1 });
      state.observe(train.map((x, i) => (i % 20 === 1 ? 4 : x)));
      const [x, c] = state.report().features;
      expect([x?.verdict, c?.verdict]).toEqual(["none", "drift"]);
      expect(c).toMatchObject({ linf: expect.closeTo(0.1, 2), w1: 0 });
    });

    test.each([0, 1, 2, 49])("[X6] %i rows are insufficient", (n) => {
      const [a] = observed(reference, ramp.subarray(0, 2 * n)).report().features;
      expect(a).toMatchObject({ n, verdict: "insufficient" });
      expect(Object.values(a!).filter((x) => typeof x === "number" && !Number.isFinite(x))).toEqual(
        n === 0 ? [Number.POSITIVE_INFINITY] : [],
      );
    });

    test("missing values are counted apart, infinities in the end bins", () => {
      const live = new Float32Array([Number.NaN, Number.POSITIVE_INFINITY, Number.NaN, Number.NEGATIVE_INFINITY]);
      const report = observed(reference, live).report();
      expect(report).toMatchObject({ n: 2, missingRows: 2, joint: null });
      expect(report.features).toMatchObject([
        { n: 0, missing: 2 },
        { n: 2, missing: 0, ksLow: expect.closeTo(0.5, 1) },
      ]);
    });

    test("a fleet's bank sees what is too little for each device, whatever the order", () => {
      const windows = Array.from({ length: 30 }, (_, i) =>
        observed(
          reference,
          ramp.subarray(4 * i, 4 * i + 40).map((x) => x * 1.6),
        ).snapshot(),
      );
      const steps = (snapshots: Uint8Array | Uint8Array[], capRows?: number) => {
        const bank = reference.newFleetBank({ threshold: 100 });
        for (let round = 0; round < 3; round++) bank.step(snapshots, { capRows });
        return bank;
      };
      const merged = reference.newState();
      for (const window of windows) merged.merge(window);
      const bank = steps(windows);
      expect(steps(windows.toReversed()).save()).toEqual(bank.save());
      expect(steps(merged.snapshot()).save()).toEqual(bank.save());
      expect(steps(windows, 5).report().logE).toBeLessThanOrEqual(bank.report().logE);
      expect(bank.rounds).toBe(3);
      const back = reference.restoreFleetBank(bank.save());
      expect([back.save(), back.report()]).toEqual([bank.save(), bank.report()]);
      expect(bank.report().features.map(({ name }) => name)).toEqual(["a", "b"]);
    });

    test("[X7] what is wrong with an input is told by a code", () => {
      const state = reference.newState();
      const other = kernels
        .openReference(kernels.buildReference(["a", "b"], ramp.subarray(2)))
        .newState()
        .snapshot();
      const abi1 = Uint8Array.from(state.snapshot(), (byte, i) => (i === 4 ? 1 : byte));
      const build = (features: readonly FeatureSpec[]) => kernels.newReferenceBuilder(features);
      expect(codeOf(() => build([]))).toBe("bad-features");
      expect(codeOf(() => kernels.buildReference(["a", "a"], ramp))).toBe("bad-features");
      expect(codeOf(() => build([{ name: "c", kind: "category", known: 126 }]))).toBe("bad-features");
      expect(codeOf(() => build([{ name: "c", kind: "category", known: -1 }]))).toBe("bad-features");
      expect(codeOf(() => kernels.buildReference(["a", "b", "c"], ramp))).toBe("bad-shape");
      expect(codeOf(() => kernels.newReferenceBuilder(mixed, { seed: -1 }))).toBe("bad-option");
      expect(codeOf(() => state.observe(ramp.subarray(1)))).toBe("bad-shape");
      for (const options of [
        { alpha: 0 },
        { alpha: Number.NaN },
        { threshold: 1 },
        { deadZone: 2 },
        { lag: 0 },
        { lag: 1.5 },
      ]) {
        expect(codeOf(() => reference.newState(options))).toBe("bad-option");
      }
      expect(codeOf(() => reference.newFleetBank({ threshold: 0 }))).toBe("bad-option");
      expect(codeOf(() => reference.newFleetBank().step([], { capRows: 0 }))).toBe("bad-option");
      expect(codeOf(() => state.merge(other))).toBe("reference-mismatch");
      expect(codeOf(() => reference.newFleetBank().step([other]))).toBe("reference-mismatch");
      expect(codeOf(() => state.merge(abi1))).toBe("abi-mismatch");
      expect(codeOf(() => kernels.openReference(state.snapshot()))).toBe("reference-malformed");
      for (const read of [
        (wrong: Uint8Array) => state.merge(wrong),
        (wrong: Uint8Array) => reference.restore(wrong),
        (wrong: Uint8Array) => reference.restoreFleetBank(wrong),
      ]) {
        expect(codeOf(() => read(bytes))).toBe("snapshot-malformed");
      }
      expect(codeOf(() => reference.restore(state.snapshot()))).toBe("snapshot-malformed");
      expect(codeOf(() => kernels.mmd2(ramp, ramp, 3, 1))).toBe("bad-shape");
      expect(codeOf(() => kernels.chi2Test([[1], [1, 2]]))).toBe("bad-shape");
      expect(codeOf(() => kernels.divergences(Float64Array.of(1), Float64Array.of(1, 2)))).toBe("bad-shape");
      expect(state.n).toBe(0);
    });

    test("[X8] a second pass over other rows is refused", () => {
      const begun = () => {
        const builder = kernels.newReferenceBuilder(mixed);
        builder.sample(ramp);
        return builder;
      };
      expect(codeOf(() => begun().finish())).toBe("passes-differ");
      const more = begun();
      more.count(ramp);
      expect(codeOf(() => more.count(ramp.subarray(0, 2)))).toBe("passes-differ");
      const other = begun();
      other.count(ramp.toReversed());
      expect(codeOf(() => other.finish())).toBe("passes-differ");
      expect(codeOf(() => other.finish())).toBe("freed");
    });

    test("[X7] hostile bytes are refused, or read as what they say", () => {
      const state = observed(reference, ramp);
      const fleet = reference.newFleetBank();
      fleet.step(state.snapshot());
      const snapshot = state.snapshot();
      const victim = reference.newState();
      const readers = [
        [bytes, (hostile: Uint8Array) => kernels.openReference(hostile).free()],
        [snapshot, (hostile: Uint8Array) => victim.merge(hostile)],
        [state.save(), (hostile: Uint8Array) => reference.restore(hostile).free()],
        [fleet.save(), (hostile: Uint8Array) => reference.restoreFleetBank(hostile).free()],
      ] as const;
      fc.assert(
        fc.property(
          fc.array(fc.tuple(fc.nat(), fc.integer({ min: 1, max: 255 })), { maxLength: 4 }),
          fc.nat(),
          (flips, cut) => {
            for (const [original, read] of readers) {
              const hostile = original.slice(0, cut % 3 === 0 ? cut % original.length : undefined);
              for (const [at, flip] of flips) if (hostile.length > 0) hostile[at % hostile.length]! ^= flip;
              try {
                read(hostile);
              } catch (error) {
                expect(error).toBeInstanceOf(KernelError);
              }
            }
          },
        ),
        { numRuns: 300 },
      );
      victim.roll();
      victim.observe(ramp);
      expect(victim.snapshot()).toEqual(snapshot);
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
