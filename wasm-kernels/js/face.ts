/** Puts the typed face of `kernels.ts` on a build of the kernels. Rust hands over plain data; here it gets names. */
import type { createGlue } from "../pkg/kernels.js";
import { KernelError, translated } from "./error.ts";
import type {
  DriftReference,
  DriftReport,
  DriftState,
  FeatureReport,
  FeatureSpec,
  FleetBank,
  FleetReport,
  Kernels,
  ReferenceBuilder,
  StateOptions,
  Variant,
} from "./kernels.ts";

type Glue = ReturnType<typeof createGlue>;
type RawReference = InstanceType<Glue["Reference"]>;
type RawState = ReturnType<RawReference["newState"]>;
type RawFleetBank = ReturnType<RawReference["newFleetBank"]>;

/** What a build offers. */
export type RawKernels = Pick<
  Glue,
  "kernelAbi" | "Builder" | "Reference" | "ksTwoSample" | "mmd2" | "wasserstein1" | "divergences" | "chi2Test"
>;

const jointFeatures = 256;
const headNumbers = 10;
const featureNumbers = 14;
const verdicts = ["insufficient", "none", "drift"] as const;

/** How rows get into a state. */
export type Observe = (state: RawState, rows: Float32Array) => void;

/** Wraps a build that is ready to be called. `observe`: where it has a faster way for rows than its method. */
export function kernelsOf(
  raw: RawKernels,
  variant: Variant,
  observe: Observe = (state, rows) => state.observe(rows),
): Kernels {
  const newReferenceBuilder: Kernels["newReferenceBuilder"] = (features, options = {}) => {
    const kinds = Int32Array.from(features, (feature) => (feature.kind === "number" ? -1 : knownOf(feature)));
    const { seed = 1, rff = features.length <= jointFeatures } = options;
    if (!Number.isInteger(seed) || seed < 0 || seed >= 2 ** 32) {
      throw new KernelError("bad-option", `a seed is an integer from 0 to 4294967295, and this is ${seed}`);
    }
    const names = features.map(({ name }) => name);
    return builderOf(translated(() => new raw.Builder(names, kinds, seed, rff)));
  };
  return {
    variant,
    abi: raw.kernelAbi(),
    newReferenceBuilder,
    buildReference(names, rows) {
      const builder = newReferenceBuilder(names.map((name) => ({ name, kind: "number" })));
      try {
        builder.sample(rows);
        builder.count(rows);
        return builder.finish();
      } finally {
        builder.free();
      }
    },
    openReference: (bytes) =>
      referenceOf(
        translated(() => new raw.Reference(bytes)),
        observe,
      ),
    ksTwoSample(a, b) {
      const [d, p] = raw.ksTwoSample(a, b) as unknown as [number, number];
      return { d, p };
    },
    mmd2: (x, y, d, gamma) => translated(() => raw.mmd2(x, y, wholeNumber(d), gamma)),
    wasserstein1: (a, b) => translated(() => raw.wasserstein1(a, b)),
    divergences(p, q) {
      const numbers = translated(() => raw.divergences(p, q));
      const [psi, js, tv, linf, hellinger] = numbers as unknown as [number, number, number, number, number];
      return { psi, js, tv, linf, hellinger };
    },
    chi2Test(counts) {
      const columns = counts[0]?.length ?? 0;
      const legal = counts.every(
        (row) => row.length === columns && row.every((count) => count >= 0 && count < 2 ** 53),
      );
      if (columns === 0 || !legal) {
        throw new KernelError("bad-shape", "a table of counts has rows of equal length, of numbers from 0 on");
      }
      const numbers = raw.chi2Test(Float64Array.from(counts.flat()), columns);
      const [statistic, p, df] = numbers as unknown as [number, number, number];
      return { statistic, p, df };
    },
  };
}

function knownOf({ name, known }: FeatureSpec & { kind: "category" }): number {
  if (Number.isInteger(known) && known >= 0) return Math.min(known, 255);
  throw new KernelError("bad-features", `${name} has a number of known categories, and ${known} is none`);
}

/** 0, which Rust refuses, for what is no whole number. */
function wholeNumber(x: number): number {
  return Number.isInteger(x) && x > 0 && x < 2 ** 32 ? x : 0;
}

function builderOf(raw: InstanceType<Glue["Builder"]>): ReferenceBuilder {
  const live = held(raw, "builder");
  return {
    sample: (rows) => translated(() => live.get().sample(rows)),
    count: (rows) => translated(() => live.get().count(rows)),
    finish: () => translated(() => live.get().finish()),
    free: live.free,
  };
}

function referenceOf(raw: RawReference, observe: Observe): DriftReference {
  const live = held(raw, "reference");
  const names = raw.names();
  const kinds = raw.kinds();
  const lags = Array.from(raw.lags());
  return {
    features: names.map((name, i) => {
      const known = kinds[i]!;
      return known < 0 ? { name, kind: "number" } : { name, kind: "category", known };
    }),
    names,
    rows: raw.rows(),
    hash: raw.hash(),
    lags,
    lag: Math.max(...lags),
    tolerance: raw.tolerance(),
    joint: raw.hasJoint(),
    newState(options = {}) {
      const { alpha = 0.01, threshold = 1e6, deadZone = 0.05 } = options;
      const lag = lagOption(options);
      return stateOf(
        translated(() => live.get().newState(alpha, threshold, deadZone, lag)),
        names,
        observe,
      );
    },
    restore: (saved) =>
      stateOf(
        translated(() => live.get().restore(saved)),
        names,
        observe,
      ),
    newFleetBank({ threshold = 1e6, deadZone = 0.05 } = {}) {
      return fleetBankOf(
        translated(() => live.get().newFleetBank(threshold, deadZone)),
        names,
      );
    },
    restoreFleetBank: (saved) =>
      fleetBankOf(
        translated(() => live.get().restoreFleetBank(saved)),
        names,
      ),
    free: live.free,
  };
}

/** 0 stands for the features' own; Rust checks the rest of the range. */
function lagOption({ lag }: StateOptions): number {
  if (lag === undefined) return 0;
  if (Number.isInteger(lag) && lag > 0 && lag < 2 ** 32) return lag;
  throw new KernelError("bad-option", `a lag lies between 1 and 65535 rows, and this is ${lag}`);
}

function stateOf(raw: RawState, names: readonly string[], observe: Observe): DriftState {
  const live = held(raw, "state");
  return {
    observe: (rows) => translated(() => observe(live.get(), rows)),
    get n() {
      return live.get().rows();
    },
    report: () => reportOf(live.get().report(), names),
    roll: () => live.get().roll(),
    merge: (snapshot) => translated(() => live.get().merge(snapshot)),
    snapshot: () => live.get().snapshot(),
    save: () => live.get().save(),
    free: live.free,
  };
}

function fleetBankOf(raw: RawFleetBank, names: readonly string[]): FleetBank {
  const live = held(raw, "fleet bank");
  return {
    step(snapshots, { capRows = Number.POSITIVE_INFINITY } = {}) {
      const parts = snapshots instanceof Uint8Array ? [snapshots] : snapshots;
      const lengths = Uint32Array.from(parts, ({ length }) => length);
      const bytes = new Uint8Array(lengths.reduce((sum, length) => sum + length, 0));
      let at = 0;
      for (const part of parts) {
        bytes.set(part, at);
        at += part.length;
      }
      translated(() => live.get().step(bytes, lengths, capRows));
    },
    get rounds() {
      return live.get().rounds();
    },
    report(): FleetReport {
      const [logE, alarm, ...features] = live.get().report();
      return {
        features: names.map((name, i) => ({ name, logE: features[i]! })),
        logE: logE!,
        alarm: alarm === 1,
      };
    },
    save: () => live.get().save(),
    free: live.free,
  };
}

function reportOf(numbers: Float64Array, names: readonly string[]): DriftReport {
  const at = (i: number) => numbers[i]!;
  return {
    n: at(0),
    missingRows: at(1),
    features: names.map((name, i) => featureReport(name, numbers.subarray(headNumbers + i * featureNumbers))),
    joint: at(5) === 1 ? { statistic: at(6), p: at(7), skipped: at(8) } : null,
    logE: at(2),
    alarm: at(3) === 1,
    topFeature: names[at(4)]!,
  };
}

function featureReport(name: string, numbers: Float64Array): FeatureReport {
  const at = (i: number) => numbers[i]!;
  return {
    name,
    n: at(0),
    missing: at(1),
    pMissing: at(2),
    psi: at(3),
    psiCritical: at(4),
    ksLow: at(5),
    ksHigh: at(6),
    pValue: at(7),
    js: at(8),
    w1: at(9),
    linf: at(10),
    logE: at(11),
    lag1: at(12),
    verdict: verdicts[at(13)]!,
  };
}

/** Rust memory that may be freed once, or twice without harm; using it afterwards is a `freed` error, not a crash. */
function held<T extends { free(): void }>(raw: T, what: string): { get(): T; free(): void } {
  let current: T | undefined = raw;
  return {
    get() {
      if (current === undefined) throw new KernelError("freed", `this ${what} was freed and is used again`);
      return current;
    },
    free() {
      current?.free();
      current = undefined;
    },
  };
}
