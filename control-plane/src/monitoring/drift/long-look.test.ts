import { loadKernelsNode } from "@vedette/wasm-kernels/node";
import fc from "fast-check";
import { expect, test } from "vitest";
import { lookAt, lookDue } from "./long-look.ts";

const kernels = await loadKernelsNode();
const policy = { notice: 0.001, deadZone: 0.05 };

/** xorshift32, and normal numbers of it by Box and Muller. */
function normals(seed: number): () => number {
  let x = seed;
  const uniform = () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
  return () => Math.sqrt(-2 * Math.log(1 - uniform())) * Math.cos(2 * Math.PI * uniform());
}
/** Two AR(1) columns of variance 1, [rows][2]. */
function autoregressive(normal: () => number, rho: number): (rows: number, shift?: number) => Float32Array {
  const last = [normal(), normal()] as [number, number];
  return (rows, shift = 0) =>
    Float32Array.from({ length: 2 * rows }, (_, i) => {
      const column = (i % 2) as 0 | 1;
      last[column] = rho * last[column] + Math.sqrt(1 - rho * rho) * normal();
      return last[column] + (column === 0 ? shift : 0);
    });
}

test("[Z43] looks come at 8 to 256 windows and every 256 from then on, whatever a round brings", () => {
  fc.assert(
    fc.property(
      fc.array(fc.double({ min: 0.01, max: 300, noNaN: true }), { minLength: 1, maxLength: 40 }),
      (rounds) => {
        let [seen, spent] = [0, 0];
        for (const windows of rounds) {
          spent += lookDue(seen, seen + windows) ?? 0;
          seen += windows;
        }
        // By the union bound, in units of the level: six lengths share the budget.
        expect(spent / 6).toBeLessThanOrEqual(seen);
      },
    ),
  );
  const due = Array.from({ length: 600 }, (_, i) => lookDue(i, i + 1)).flatMap((length, i) =>
    length === null ? [] : [[i + 1, length]],
  );
  expect(due).toEqual([...[8, 16, 32, 64, 128, 256].map((at) => [at, at]), [512, 256]]);
  expect([lookDue(3, 40), lookDue(40, 40), lookDue(250, 900)]).toEqual([32, null, 256]);
});

test.each([0, 0.8])(
  "[Z43] without drift a look finds something once in `threshold` windows at most: rows of correlation %f",
  (rho) => {
    const draw = autoregressive(normals(7 + 10 * rho), rho);
    const [threshold, rows] = [400, 50];
    let [found, windows] = [0, 0];
    for (let stream = 0; stream < 60; stream++) {
      const reference = kernels.openReference(kernels.buildReference(["a", "b"], draw(2000)));
      const state = reference.newState();
      for (let seen = 0; seen < 256; seen++) {
        state.observe(draw(rows));
        const length = lookDue(seen, seen + 1);
        // All since the beginning, which is what there is to look at up to 256 windows.
        if (length && lookAt(state.report().features, { windows: length, threshold, devices: 1, policy }).length > 0)
          found++;
      }
      windows += 256;
      state.free();
      reference.free();
    }
    expect(found).toBeLessThanOrEqual(windows / threshold);
  },
);

test("[Z43] a shift that a small, correlated reference hides from the detector is seen, by its name", () => {
  const draw = autoregressive(normals(3), 0.95);
  const reference = kernels.openReference(kernels.buildReference(["a", "b"], draw(4000)));
  const [state, bank] = [reference.newState(), reference.newFleetBank({ threshold: 3906 })];
  state.observe(draw(64 * 256, 0.8));
  bank.step(state.snapshot());
  expect(bank.report().alarm).toBe(false);
  const given = { windows: 64, threshold: 3906, devices: 1, policy };
  expect(lookAt(state.report().features, given)).toEqual(["a"]);
  // Of ten thousand devices one alone is not enough, and what is small enough to be none that matters is none.
  expect(lookAt(state.report().features, { ...given, devices: 1e9 })).toEqual([]);
  expect(lookAt(state.report().features, { ...given, policy: { ...policy, deadZone: 1 } })).toEqual([]);
});

test("few rows are no verdict, and a sensor that fell silent is one", () => {
  const draw = autoregressive(normals(5), 0);
  const reference = kernels.openReference(kernels.buildReference(["a", "b"], draw(2000)));
  const given = { windows: 8, threshold: 1000, devices: 1, policy };
  const few = reference.newState();
  few.observe(draw(49, 9));
  expect(lookAt(few.report().features, given)).toEqual([]);
  const silent = reference.newState();
  silent.observe(draw(400).map((value, i) => (i % 2 === 0 ? Number.NaN : value)));
  expect(lookAt(silent.report().features, given)).toEqual(["a"]);
});
