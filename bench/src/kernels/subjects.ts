/** What is timed: one call of each kernel, ours and in plain JavaScript, on the same rows as numpy's. */
import type { DriftState, Kernels } from "@vedette/wasm-kernels";
import { drawFrom } from "../verdicts/normal.ts";
import { bankOf } from "../verdicts/plain/bank.ts";
import { binOf, column, edgesOf } from "../verdicts/plain/histogram.ts";
import { fourierSums, ksDistance, ksPValue, mmd2 } from "../verdicts/plain/two-samples.ts";

/**
 * The rows of the table. Each but the tests of two samples, which are one call, is per row of a batch of 1,000. `ks` and
 * `ks, limit` are one and the same to us, who take p from the limit at this size: scipy does so only when told.
 */
export const kernelNames = [
  "bins 128",
  "bins + bank",
  "rff",
  "everything",
  "everything, 32 rows a call",
  "everything, row by row",
  "ks",
  "ks, limit",
  "mmd2",
] as const;
export type KernelName = (typeof kernelNames)[number];

/** Whether its figure is of a call, not of a row. */
export function isOneCall(kernel: KernelName): boolean {
  return kernel.startsWith("ks") || kernel === "mmd2";
}

/** Of the reference and of each sample of KS. */
const rowCount = 10_000;
/** Rows of a call: short enough that most calls are not interrupted. */
export const batchRows = 1000;
/** Rows that a busy device counts at once: those of a tick, of which a model slot takes no more in one run. */
const tickRows = 32;
export const width = 16;
const gamma = 0.03;

/** One kernel's call; undefined where a side has none. */
export type Calls = Partial<Record<KernelName, () => void>>;

export interface Sample {
  readonly rows: Float32Array;
  readonly a: Float64Array;
  readonly b: Float64Array;
}

export function sample(): Sample {
  const draw = drawFrom([1, 2, 3]);
  return {
    rows: Float32Array.from({ length: rowCount * width }, () => draw.normal()),
    a: Float64Array.from({ length: rowCount }, () => draw.normal()),
    b: Float64Array.from({ length: rowCount }, () => draw.normal()),
  };
}

const names = Array.from({ length: width }, (_, f) => ({ name: `f${f}`, kind: "number" as const }));
const batchFloats = batchRows * width;

/** The longest lag there is: one row in 65,535 reaches the bank. */
const hardlyAny = 65_535;

/**
 * The kernels measure in one pass over the rows what others do in several, so parts are told apart by what a state leaves out:
 * a reference without the joint part, a bank that sees hardly any row. `rff` is what the joint part adds to the bins.
 */
export function kernelCalls(kernels: Kernels, { rows, a, b }: Sample): Calls & { rffAndBins: () => void } {
  const state = (rff: boolean, lag: number): DriftState => {
    const builder = kernels.newReferenceBuilder(names, { rff });
    builder.sample(rows);
    builder.count(rows);
    return kernels.openReference(builder.finish()).newState({ lag });
  };
  const [bins, bank, joint, everything, tick, single] = [
    state(false, hardlyAny),
    state(false, 1),
    state(true, hardlyAny),
    state(true, 1),
    state(true, 1),
    state(true, 1),
  ];
  const batch = batchesOf(rows);
  const inPieces = (of: DriftState, floats: number) => () => {
    const some = batch();
    for (let i = 0; i < some.length; i += floats) of.observe(some.subarray(i, i + floats));
  };
  return {
    "bins 128": () => bins.observe(batch()),
    "bins + bank": () => bank.observe(batch()),
    rffAndBins: () => joint.observe(batch()),
    everything: () => everything.observe(batch()),
    "everything, 32 rows a call": inPieces(tick, tickRows * width),
    "everything, row by row": inPieces(single, width),
    ks: () => void kernels.ksTwoSample(a, b),
    "ks, limit": () => void kernels.ksTwoSample(a, b),
    mmd2: () =>
      void kernels.mmd2(rows.subarray(0, batchFloats), rows.subarray(batchFloats, 2 * batchFloats), width, gamma),
  };
}

/** The same from the formulas, as one would write them without thinking of speed twice. */
export function plainCalls({ rows, a, b }: Sample): Calls {
  const draw = drawFrom([4, 5, 6]);
  const weights = Float32Array.from({ length: width * 128 }, () => draw.normal());
  const edges = Array.from({ length: width }, (_, f) => edgesOf(column(rows, width, f)));
  const counts = new Uint32Array(width * 128);
  const bank = bankOf(rows, width);
  const batch = batchesOf(rows);
  const bins = (some: Float32Array): void => {
    for (let i = 0; i < some.length; i++) {
      const f = i % width;
      counts[f * 128 + binOf(edges[f]!, some[i]!)]!++;
    }
  };
  return {
    "bins 128": () => bins(batch()),
    "bins + bank": () => {
      const some = batch();
      bins(some);
      for (let i = 0; i < some.length; i += width) bank.step(some.subarray(i, i + width));
    },
    rff: () => void fourierSums(batch(), weights, width),
    ks: () => void ksPValue(ksDistance(a, b), rowCount, rowCount),
    "ks, limit": () => void ksPValue(ksDistance(a, b), rowCount, rowCount),
    mmd2: () => void mmd2(rows.subarray(0, batchFloats), rows.subarray(batchFloats, 2 * batchFloats), width, gamma),
  };
}

/** One batch after the other, from the beginning again after the last: bins that are asked for the same rows are well predicted. */
function batchesOf(rows: Float32Array): () => Float32Array {
  let at = 0;
  return () => {
    const batch = rows.subarray(at, at + batchFloats);
    at = (at + batchFloats) % rows.length;
    return batch;
  };
}
