/**
 * Our side: the kernels as a device runs them. Scores are in the logarithm of rows between false alarms, so a threshold of ln ARL
 * promises that run length: a bank whose mean is A has one of A rows at least, a window's test of `w` rows with p-value p one of w/p.
 */
import type { DriftReference, DriftReport, Kernels } from "@vedette/wasm-kernels";
import type { Stream } from "./cells.ts";
import { chi2Tail } from "./chi2.ts";
import { type Detector, RecordKeeper, type Records } from "./detector.ts";
import { features } from "./source.ts";

/** The bank is asked each so many rows. */
const askedEach = 32;
/** Rows of the two windows: the second is the merger of four of the first. */
const shortWindow = 256;
const windowsInLong = 4;
/** Evidence begins here: no threshold in use lies lower. */
const floor = 0;
/** And no threshold in use lies higher. */
const enough = Math.log(1e7);

type Kind = Omit<Detector, "run" | "close">;

const names = Array.from({ length: features }, (_, f) => `f${f}`);

export const ourKinds: readonly [bank: Kind, set: Kind] = [
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

/** Both read a stream in one pass, of which the second that asks for it gets what the first has left. */
export function ourDetectors(kernels: Kernels): readonly Detector[] {
  const passes = new WeakMap<Stream, readonly Records[]>();
  const pass = (stream: Stream): readonly Records[] => {
    const found = passes.get(stream) ?? watch(kernels, stream);
    passes.set(stream, found);
    return found;
  };
  return ourKinds.map((kind, i) => ({
    ...kind,
    async run(stream) {
      return pass(stream)[i] ?? [];
    },
    async close() {},
  }));
}

/** What the bank alone, and what bank and windows together record; each third of the latter's false alarms is for one of them. */
function watch(kernels: Kernels, { reference: training, rows }: Stream): [bank: Records, set: Records] {
  const reference = kernels.openReference(kernels.buildReference(names, training));
  const state = reference.newState();
  const [bank, set] = [new RecordKeeper(floor), new RecordKeeper(floor)];
  const third = Math.log(3);
  const snapshots: Uint8Array[] = [];
  for (let end = askedEach; end * features <= rows.length && bank.highest < enough; end += askedEach) {
    state.observe(rows.subarray((end - askedEach) * features, end * features));
    const report = state.report();
    bank.take(end - 1, report.logE);
    set.take(end - 1, report.logE - third);
    if (end % shortWindow !== 0) continue;
    set.take(end - 1, windowEvidence(report, reference) - third);
    snapshots.push(state.snapshot());
    state.roll();
    if (snapshots.length < windowsInLong) continue;
    const long = reference.newState();
    for (const snapshot of snapshots.splice(0)) long.merge(snapshot);
    set.take(end - 1, windowEvidence(long.report(), reference) - third);
    long.free();
  }
  state.free();
  reference.free();
  return [bank.records, set.records];
}

/** Of the smallest p-value among KS and PSI of each feature and the joint test, times their number (Bonferroni). */
function windowEvidence(report: DriftReport, { rows: m, lags }: DriftReference): number {
  // Sixteen coarse cells: fifteen degrees of freedom.
  const p = report.features.flatMap(({ n, psi, pValue }, f) => [
    pValue,
    chi2Tail(psi / ((lags[f] ?? 1) * (1 / n + 1 / m)), 15),
  ]);
  if (report.joint) p.push(report.joint.p);
  return Math.log(report.n) - Math.log(Math.max(1e-300, Math.min(...p) * p.length));
}
