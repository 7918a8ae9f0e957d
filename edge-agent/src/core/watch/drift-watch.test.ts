import { expect, test } from "vitest";
import { rainManifest } from "../serve/test/rig.ts";
import { createDriftWatch, type DriftReference } from "./drift-watch.ts";

/** Kernels that report how many rows they saw and what was in them. */
function rig(names = ["temp", "wind"], finished?: () => void) {
  const seen: number[][] = [];
  let n = 0;
  let freed = 0;
  const ticks: (() => void)[] = [];
  const reference: DriftReference = {
    names,
    newState: ({ alpha }) => ({
      observe(rows) {
        for (let i = 0; i < rows.length; i += names.length) seen.push([...rows.slice(i, i + names.length)]);
        n += rows.length / names.length;
      },
      get n() {
        return n;
      },
      report: () => ({
        n,
        missingRows: 0,
        features: [
          {
            name: "temp",
            n,
            missing: 0,
            pMissing: 1,
            psi: 0,
            psiCritical: alpha,
            ksLow: 0,
            ksHigh: 0,
            pValue: 1,
            js: 0,
            w1: 0,
            linf: 0,
            logE: 0,
            lag1: 0,
            verdict: "none",
          },
        ],
        joint: null,
        logE: 0,
        alarm: false,
        topFeature: "temp",
      }),
      roll() {
        n = 0;
      },
      free: () => void freed++,
    }),
    free: () => void freed++,
  };
  const watch = createDriftWatch({
    reference,
    manifest: rainManifest(),
    schedule: (call) => void ticks.push(call),
    ...(finished && { finished }),
  });
  return { watch, seen, ticks, freed: () => freed };
}

test("rows are copied at once and counted when the tick is over, in the reference's order", () => {
  const { watch, seen, ticks } = rig();
  const rows = new Float32Array([1, 2, 3, 4]);
  watch.observe(rows);
  watch.observe(new Float64Array([5, 6]));
  rows.fill(9);
  expect([seen, ticks.length]).toEqual([[], 1]);
  ticks[0]?.();
  expect(seen).toEqual([
    [2, 1],
    [4, 3],
    [6, 5],
  ]);
});

test("the last full window is reported; before there is one, the running one", () => {
  const { watch } = rig();
  watch.observe(new Float32Array(2 * 10));
  expect(watch.report()).toMatchObject([{ n: 10, psiCritical: 0.01 }]);
  watch.observe(new Float32Array(2 * 95));
  expect([watch.report()[0]?.n, watch.windows]).toEqual([50, 2]);
});

test("more rows than the buffer holds lose none; a feature that is no field is missing", () => {
  const { watch, seen } = rig(["wind", "fog"]);
  watch.observe(new Float32Array(2 * 20_000).fill(1));
  watch.report();
  expect(seen.length).toBe(20_000);
  expect(seen[19_999]).toEqual([1, Number.NaN]);
});

test("after free nothing is counted, and state and reference are given back once", () => {
  const { watch, ticks, freed } = rig();
  watch.observe(new Float32Array(2));
  watch.free();
  watch.free();
  ticks[0]?.();
  watch.observe(new Float32Array(2));
  expect([freed(), watch.report()]).toEqual([2, []]);
});

test("who hears of a full window may ask for its report at once", () => {
  const heard: number[] = [];
  const { watch, ticks } = rig(["temp", "wind"], () => heard.push(watch.report()[0]?.n ?? -1));
  const { windowRows } = rainManifest().drift;
  watch.observe(new Float32Array(2 * (2 * windowRows + 1)));
  ticks[0]?.();
  expect([heard, watch.windows]).toEqual([[windowRows], 2]);
});
