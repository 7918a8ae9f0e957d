/** The statistics as their callers meet them: published values, and what they do when nothing has changed. */
import { expect, test } from "vitest";
import { loadKernelsNode } from "./node.ts";

const kernels = await loadKernelsNode();
const f64 = (...values: number[]) => Float64Array.from(values);

/** xorshift32 as uniform numbers, and normal ones of them by Box and Muller. */
function generator(seed: number): { uniform(): number; normal(): number } {
  let x = seed;
  const uniform = () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
  return {
    uniform,
    normal: () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform()),
  };
}

/** `rows` rows of `d` independent AR(1) columns of correlation `rho` and variance 1. */
function autoregressive(normal: () => number, d: number, rho: number): (rows: number) => Float32Array {
  const last = new Float64Array(d).map(normal);
  const innovation = Math.sqrt(1 - rho * rho);
  return (rows) =>
    Float32Array.from({ length: rows * d }, (_, i) => {
      last[i % d] = rho * last[i % d]! + innovation * normal();
      return last[i % d]!;
    });
}

test("[X9] tests and distances match scipy's values", () => {
  const ks = (a: Float64Array, b: Float64Array) => kernels.ksTwoSample(a, b);
  expect(ks(f64(1, 2, 3, 4, 5), f64(3, 4, 5, 6, 7))).toEqual({ d: 0.4, p: expect.closeTo(0.873015873015873, 14) });
  expect(ks(f64(0, 0, 1, 1), f64(0, 1, 1, 1))).toEqual({ d: 0.25, p: expect.closeTo(1, 14) });
  expect(ks(f64(1, 1, 1, 1, 1), new Float64Array(9).fill(2))).toEqual({
    d: 1,
    p: expect.closeTo(0.0009990009990009992, 16),
  });
  expect(
    ks(
      Float64Array.from({ length: 10 }, (_, i) => i),
      Float64Array.from({ length: 20 }, (_, i) => i + 0.5),
    ),
  ).toEqual({ d: 0.55, p: expect.closeTo(0.02904701495406143, 14) });
  expect(kernels.divergences(f64(0.1, 0.2, 0.3, 0.4), f64(0.25, 0.25, 0.25, 0.25))).toEqual({
    psi: expect.closeTo(0.22821740957339182, 14),
    js: expect.closeTo(0.2005033225314282, 14),
    tv: expect.closeTo(0.2, 14),
    linf: expect.closeTo(0.15, 14),
    hellinger: expect.closeTo(0.16789959640267477, 14),
  });
  expect(
    kernels.chi2Test([
      [10, 20, 30],
      [15, 15, 45],
    ]),
  ).toEqual({ statistic: expect.closeTo(3.0857142857, 9), p: expect.closeTo(0.2137694582, 9), df: 2 });
  expect(kernels.wasserstein1(f64(0, 1, 3), f64(5, 6, 8))).toBe(5);
  expect(kernels.mmd2(Float32Array.of(0, 1), Float32Array.of(0, 1), 1, 1)).toBeCloseTo(Math.exp(-1) - 1, 6);
});

/**
 * A finite reference is not the truth: taken for it, m = 10,000 at a nominal 1e6 alarmed after 23,000 rows. 40 references
 * of their own, each with a stream of 20,000 rows, at a nominal 10,000: at most one alarm in 10,000 rows on average.
 */
test.each([1000, 10_000])("[X10] a reference of %i rows alarms no more often than promised", (m) => {
  const { normal } = generator(m);
  const d = 4;
  const draw = autoregressive(normal, d, 0);
  let [rows, alarms] = [0, 0];
  for (let stream = 0; stream < 40; stream++) {
    const train = draw(m);
    const builder = kernels.newReferenceBuilder(
      Array.from({ length: d }, (_, i) => ({ name: `f${i}`, kind: "number" })),
      { rff: false },
    );
    builder.sample(train);
    builder.count(train);
    const state = kernels.openReference(builder.finish()).newState({ threshold: 10_000, deadZone: 0 });
    let alarmed = false;
    for (let batch = 0; batch < 20 && !alarmed; batch++) {
      state.observe(draw(1000));
      rows += 1000;
      alarmed = state.report().alarm;
    }
    alarms += alarmed ? 1 : 0;
    state.free();
  }
  expect(rows / Math.max(alarms, 1)).toBeGreaterThanOrEqual(10_000);
});

/** AR(1) rows taken for independent alarmed after 2,042 rows (ρ = .5) and 94 (ρ = .8) at a nominal 1e6. */
test.each([0.2, 0.5, 0.8])("[X11] rows of correlation %f alarm no more often than promised", (rho) => {
  const { normal } = generator(Math.round(rho * 1000));
  const draw = autoregressive(normal, 2, rho);
  const reference = kernels.openReference(kernels.buildReference(["a", "b"], draw(10_000)));
  expect(reference.lag).toBeGreaterThan(1);
  let [rows, alarms] = [0, 0];
  for (let stream = 0; stream < 20; stream++) {
    const state = reference.newState({ threshold: 10_000 });
    let alarmed = false;
    for (let batch = 0; batch < 20 && !alarmed; batch++) {
      state.observe(draw(1000));
      rows += 1000;
      alarmed = state.report().alarm;
    }
    expect(state.report().features[0]?.lag1).toBeCloseTo(rho, 0);
    alarms += alarmed ? 1 : 0;
    state.free();
  }
  expect(rows / Math.max(alarms, 1)).toBeGreaterThanOrEqual(10_000);
});

/** Four binomial deviations around the .03 to .06 that the prototype measured. */
test("[X12] tests of a window hold their level when nothing has changed", () => {
  const { normal } = generator(99);
  const draw = autoregressive(normal, 4, 0);
  const reference = kernels.openReference(kernels.buildReference(["a", "b", "c", "d"], draw(10_000)));
  const trials = 500;
  let [joint, single, drift] = [0, 0, 0];
  for (let trial = 0; trial < trials; trial++) {
    const state = reference.newState({ alpha: 0.05, lag: 1 });
    state.observe(draw(256));
    const report = state.report();
    joint += report.joint!.p < 0.05 ? 1 : 0;
    single += report.features[0]!.pValue < 0.05 ? 1 : 0;
    drift += report.features.some(({ verdict }) => verdict === "drift") ? 1 : 0;
    state.free();
  }
  for (const rejected of [joint, single, drift]) expect(rejected / trials).toBeLessThan(0.095);
  expect(joint / trials).toBeGreaterThan(0.01);
});
