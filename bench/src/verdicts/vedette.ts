/**
 * Our side: the kernels as a device runs them. Scores are in the logarithm of rows between false alarms, so a threshold of ln ARL
 * promises that run length: a bank that takes every stride-th row at mean A has one of A·stride rows, a window's test of `w` rows
 * with p-value p one of w/p.
 */
import type { DriftReference, DriftReport, DriftState, Kernels } from "@vedette/wasm-kernels";
import type { Stream } from "./cells.ts";
import { chi2Tail } from "./chi2.ts";
import { type Detector, RecordKeeper, type Records } from "./detector.ts";
import { features } from "./source.ts";

/** The bank is asked each so many rows. */
const stride = 16;
/** Rows of the two windows: the second is the merger of four of the first. */
const shortWindow = 256;
const windowsInLong = 4;
/** Evidence begins here: no threshold in use lies lower. */
const floor = 0;

const names = Array.from({ length: features }, (_, f) => `f${f}`);

export const ourKinds: readonly Omit<Detector, "run" | "close">[] = [
  {
    name: "vedette-bank",
    title: "Vedette: the e-detector bank",
    usesReference: true,
    threshold: (arl) => Math.log(arl),
  },
  {
    name: "vedette-set",
    title: "Vedette: bank, and windows of 256 and 1,024",
    usesReference: true,
    threshold: (arl) => Math.log(arl),
  },
];

/** The bank alone: what a device's alarm is. */
export function bankDetector(kernels: Kernels): Detector {
  return ours(kernels, "vedette-bank", (state, reference, rows, keeper) => {
    each(rows, stride, (part, end) => {
      state.observe(part);
      keeper.take(end, evidence(state.report(), reference));
    });
  });
}

/** The bank and the tests of windows together, each third of the false alarms for one of them. */
export function setDetector(kernels: Kernels): Detector {
  const third = Math.log(3);
  return ours(kernels, "vedette-set", (state, reference, rows, keeper) => {
    const snapshots: Uint8Array[] = [];
    let atWindowStart = 0;
    each(rows, stride, (part, end) => {
      state.observe(part);
      const report = state.report();
      keeper.take(end, evidence(report, reference) - third);
      if (end + 1 - atWindowStart < shortWindow) return;
      atWindowStart = end + 1;
      keeper.take(end, windowEvidence(report, reference) - third);
      snapshots.push(state.snapshot());
      state.roll();
      if (snapshots.length < windowsInLong) return;
      const long = reference.newState();
      for (const snapshot of snapshots.splice(0)) long.merge(snapshot);
      keeper.take(end, windowEvidence(long.report(), reference) - third);
      long.free();
    });
  });
}

type Watch = (state: DriftState, reference: DriftReference, rows: Float32Array, keeper: RecordKeeper) => void;

function ours(kernels: Kernels, name: string, watch: Watch): Detector {
  const kind = ourKinds.find((known) => known.name === name);
  if (!kind) throw new RangeError(`${name} is none of ours`);
  return {
    ...kind,
    async run({ reference: training, rows }: Stream): Promise<Records> {
      const reference = kernels.openReference(kernels.buildReference(names, training));
      const state = reference.newState();
      const keeper = new RecordKeeper(floor);
      watch(state, reference, rows, keeper);
      state.free();
      reference.free();
      return keeper.records;
    },
    async close() {},
  };
}

function each(rows: Float32Array, size: number, take: (part: Float32Array, lastRow: number) => void): void {
  for (let i = 0; i < rows.length; i += size * features) {
    const part = rows.subarray(i, i + size * features);
    take(part, (i + part.length) / features - 1);
  }
}

function evidence(report: DriftReport, reference: DriftReference): number {
  return report.logE + Math.log(reference.lag);
}

/** Of the smallest p-value among KS and PSI of each feature and the joint test, times their number (Bonferroni). */
function windowEvidence(report: DriftReport, { rows: m, lag }: DriftReference): number {
  const p = report.features.flatMap(({ n, psi, pValue }) => [pValue, chi2Tail(psi / (lag / n + lag / m), 15)]);
  if (report.joint) p.push(report.joint.p);
  return Math.log(report.n) - Math.log(Math.max(1e-300, Math.min(...p) * p.length));
}
