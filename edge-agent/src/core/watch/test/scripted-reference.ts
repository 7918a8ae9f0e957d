/** Kernels that keep the rows they are shown, and report what a test tells them to. */
import type { FeatureReport } from "@vedette/wasm-kernels";
import type { DriftReference } from "../drift-watch.ts";

type State = ReturnType<DriftReference["newState"]>;

export interface Scripted {
  readonly reference: DriftReference;
  /** Rows in the order in which any state saw them. */
  readonly seen: number[][];
  /** States and references that were made, less those freed. */
  held(): number;
  /** What windows say from now on: whether the detector alarms, and how far the first feature has moved. */
  say: { alarm: boolean; effect: number };
}

/** @param names the features of a row. */
export function scriptedReference(names: readonly string[], hash = "h1"): Scripted {
  const seen: number[][] = [];
  const say = { alarm: false, effect: 0.01 };
  let held = 1;
  const width = names.length;
  const feature = (name: string, n: number, at: number): FeatureReport => ({
    name,
    n,
    missing: 0,
    pMissing: 1,
    psi: 0,
    psiCritical: n === 0 ? Number.POSITIVE_INFINITY : 1,
    ksLow: at === 0 ? say.effect : 0,
    ksHigh: 1,
    pValue: 0.5,
    js: 0,
    w1: 0,
    linf: 0,
    logE: 2,
    lag1: 0,
    verdict: n < 50 ? "insufficient" : "none",
  });
  const stateOf = (from: number): State => {
    let n = from;
    held++;
    return {
      observe(rows) {
        for (let i = 0; i < rows.length; i += width) seen.push([...rows.slice(i, i + width)]);
        n += rows.length / width;
      },
      get n() {
        return n;
      },
      report: () => ({
        n,
        missingRows: 0,
        features: names.map((name, at) => feature(name, n, at)),
        joint: null,
        logE: 2,
        alarm: say.alarm,
        topFeature: names[0] ?? "",
      }),
      roll() {
        n = 0;
      },
      snapshot: () => Uint8Array.from(new Uint8Array(Float64Array.of(n).buffer)),
      merge(snapshot) {
        n += new Float64Array(Uint8Array.from(snapshot).buffer)[0] ?? 0;
      },
      save: () => Uint8Array.from(new Uint8Array(Float64Array.of(n).buffer)),
      free: () => void held--,
    };
  };
  const reference: DriftReference = {
    names,
    hash,
    newState: () => stateOf(0),
    restore: (saved) => stateOf(new Float64Array(Uint8Array.from(saved).buffer)[0] ?? 0),
    free: () => void held--,
  };
  return { reference, seen, say, held: () => held };
}
