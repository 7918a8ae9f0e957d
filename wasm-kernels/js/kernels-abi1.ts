/**
 * The typed face of the WebAssembly module. Everything here is synchronous and touches no platform: `index.ts` loads.
 *
 * Memory of a reference or state is given back by `free()`, or at some time after it becomes unreachable.
 */
import type { createGlue } from "../pkg/kernels.js";
import { KernelError, translated } from "./error.ts";

export type Variant = "simd" | "scalar";

/** One feature compared with the reference. Numbers are finite, but `psiCritical` is Infinity when there are no values. */
export interface FeatureReport {
  name: string;
  /** Values observed, without the missing. */
  n: number;
  /** Values missing (NaN). */
  missing: number;
  /** Population stability index on 16 coarse bins, Jeffreys smoothing, in nats. */
  psi: number;
  /** What `psi` exceeds with probability alpha when nothing changed: χ²_{B−1,1−α}·(1/n + 1/m) over the B bins in use. */
  psiCritical: number;
  /** The Kolmogorov–Smirnov statistic lies in [ksLow, ksHigh]. */
  ksLow: number;
  ksHigh: number;
  /** P-value of ksLow: conservative, and not yet corrected for the number of features. */
  pValue: number;
  /**
   * `insufficient` below 50 values here or in the reference; `drift` when psi > psiCritical and
   * pValue × features < alpha (Bonferroni); else `none`.
   */
  verdict: "insufficient" | "none" | "drift";
}

/** Counts of live rows on a reference's bins. Holds no raw value. */
export interface DriftState {
  /** Counts rows: row-major f32 [n][d], NaN = missing. Throws `bad-shape`, and then nothing was counted. */
  observe(rows: Float32Array): void;
  /** Rows observed, at most 2⁵³ − 1. */
  readonly n: number;
  /**
   * Adds the rows of another state, exactly as if observed here. Throws `snapshot-malformed`, `abi-mismatch` or
   * `reference-mismatch`, and then nothing was added.
   */
  merge(snapshot: Uint8Array): void;
  /** The one spelling of this state in bytes; equal states give equal bytes. */
  snapshot(): Uint8Array;
  /** Compares with the reference, feature by feature in column order. `alpha` in (0, 1), .01 unless told; `bad-alpha`. */
  report(alpha?: number): FeatureReport[];
  /** Forgets all rows. */
  reset(): void;
  free(): void;
}

/** The frozen training distribution. */
export interface DriftReference {
  readonly names: string[];
  /** Reference rows, those with missing values included. */
  readonly rows: number;
  /** FNV-1a of the bytes, 16 hexadecimal digits: guards against mix-ups, not against forgery. */
  readonly hash: string;
  newState(): DriftState;
  /** Reads a snapshot taken on this reference. Throws as `merge` does. */
  restore(snapshot: Uint8Array): DriftState;
  /** States that were made from it live on. */
  free(): void;
}

/** The kernels, loaded. Both variants give the same bits. */
export interface Kernels {
  readonly variant: Variant;
  /** References and snapshots of another abi are refused. */
  readonly abi: number;
  /**
   * Bytes of a reference. `rows`: row-major f32 [m][names.length], NaN = missing; m may be 0.
   * Throws `bad-names` (none, empty, repeated, over 255 bytes) or `bad-shape`.
   */
  buildReference(names: string[], rows: Float32Array): Uint8Array;
  /** Throws `reference-malformed` or `abi-mismatch`. */
  openReference(bytes: Uint8Array): DriftReference;
}

type Glue = ReturnType<typeof createGlue>;
type RawReference = InstanceType<Glue["Reference"]>;
type RawState = ReturnType<RawReference["newState"]>;

const numbersPerFeature = 8;
const verdicts = ["insufficient", "none", "drift"] as const;

/** Wraps glue whose module is instantiated. */
export function kernelsOf(glue: Glue, variant: Variant): Kernels {
  return {
    variant,
    abi: glue.kernelAbi(),
    buildReference: (names, rows) => translated(() => glue.buildReference(names, rows)),
    openReference: (bytes) => referenceOf(translated(() => new glue.Reference(bytes))),
  };
}

function referenceOf(raw: RawReference): DriftReference {
  const live = held(raw, "reference");
  const names = raw.names();
  return {
    names,
    rows: raw.rows(),
    hash: raw.hash(),
    newState: () => stateOf(live.get().newState(), names),
    restore: (snapshot) =>
      stateOf(
        translated(() => live.get().restore(snapshot)),
        names,
      ),
    free: live.free,
  };
}

function stateOf(raw: RawState, names: readonly string[]): DriftState {
  const live = held(raw, "state");
  return {
    observe: (rows) => translated(() => live.get().observe(rows)),
    get n() {
      return live.get().rows();
    },
    merge: (snapshot) => translated(() => live.get().merge(snapshot)),
    snapshot: () => live.get().snapshot(),
    report(alpha = 0.01) {
      const numbers = translated(() => live.get().report(alpha));
      return names.map((name, i) => featureReport(name, numbers.subarray(i * numbersPerFeature)));
    },
    reset: () => live.get().reset(),
    free: live.free,
  };
}

function featureReport(name: string, numbers: Float64Array): FeatureReport {
  const at = (i: number) => numbers[i]!;
  return {
    name,
    n: at(0),
    missing: at(1),
    psi: at(2),
    psiCritical: at(3),
    ksLow: at(4),
    ksHigh: at(5),
    pValue: at(6),
    verdict: verdicts[at(7)]!,
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
