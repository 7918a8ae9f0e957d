/**
 * The face of the drift kernels: types only. `face.ts` puts it on a build, `index.ts` and `node.ts` load one.
 *
 * Everything is synchronous and touches no platform. Rows are row-major f32 [n][features], NaN = missing. Memory of a
 * builder, reference, state or bank is given back by `free()`, or at some time after it becomes unreachable; what was
 * made from a reference lives on when the reference is freed. Errors are KernelError, whose `code` is named below.
 */

/** Builds of the same source, with the same bits: `native` is for Node where somebody compiled it, the others for everybody. */
export type Variant = "simd" | "scalar" | "native";

/**
 * A column. A category's values are codes: 0 … known−1 are the known categories, the most frequent first; `known` is a
 * category that was seen in training but too rarely to be known, and `known + 1`, or any other number, one never seen.
 * `known` is 0 to 125.
 */
export type FeatureSpec =
  | { readonly name: string; readonly kind: "number" }
  | { readonly name: string; readonly kind: "category"; readonly known: number };

/** What the window says of one feature. Numbers are finite, but `psiCritical` is Infinity when there are no values. */
export interface FeatureReport {
  name: string;
  /** Values observed in the window, without the missing. */
  n: number;
  /** Values missing (NaN). */
  missing: number;
  /** P-value of the rate of missing values being the reference's (χ² of the 2 × 2 table); 1 if none is missing on either side. */
  pMissing: number;
  /** Population stability index on up to 16 coarse cells, Jeffreys smoothing, in nats. */
  psi: number;
  /** What `psi` exceeds with probability alpha when nothing changed: χ²_{B−1,1−α}·(1/n + 1/m) over the B cells in use, n and m divided by the feature's lag. */
  psiCritical: number;
  /** The Kolmogorov–Smirnov statistic lies in [ksLow, ksHigh]. For a category, that of its codes in order: no more than a size. */
  ksLow: number;
  ksHigh: number;
  /** P-value of the feature's own test, Kolmogorov–Smirnov on ksLow or χ² on categories; not corrected for the number of features. */
  pValue: number;
  /** Jensen–Shannon distance on the coarse cells, base 2: 0 to 1. */
  js: number;
  /** Wasserstein-1 distance in the feature's unit, as far as it lies between the reference's 1/128 and 127/128 quantiles; 0 for a category. */
  w1: number;
  /** Greatest difference of the share of any coarse cell, of any code for a category. */
  linf: number;
  /** Evidence of the feature's own bets: natural logarithm of the mean of its e-detectors. */
  logE: number;
  /** Correlation of neighbouring rows in this window, by rank (by equality for a category); 0 if it cannot be told. */
  lag1: number;
  /**
   * Of the window's tests alone: `insufficient` below 50 values here or in the reference; `drift` when psi > psiCritical
   * and pValue, or pMissing alone, lies below alpha divided by the number of tests in the report (Bonferroni); else `none`.
   */
  verdict: "insufficient" | "none" | "drift";
}

/** The test of all features at once, by random Fourier features. */
export interface JointReport {
  /** n·‖φ̄ − μ‖²/(1 + n/m), n and m divided by the longest lag. */
  statistic: number;
  /** By a χ² of the reference's first three moments. */
  p: number;
  /** Rows of the window left out, because a value was missing or infinite. */
  skipped: number;
}

export interface DriftReport {
  /** Rows of the window. */
  n: number;
  /** Rows in which at least one value was missing. */
  missingRows: number;
  /** In the reference's order. */
  features: FeatureReport[];
  /** Null where the reference has no joint part, or no row of the window could be taken. */
  joint: JointReport | null;
  /** Natural logarithm of the mean of all e-detectors, over all features and bets, now. */
  logE: number;
  /** That mean stood at `threshold` or above at some row of this window. Without drift that happens once in `threshold` rows or rarer. */
  alarm: boolean;
  /** Where most evidence is. */
  topFeature: string;
}

export interface StateOptions {
  /** Level of the window's tests, in (0, 1): `bad-option`. Default .01. */
  alpha?: number | undefined;
  /** Rows to a false alarm on average, at least, 2 to 1e9: `bad-option`. Default 1e6. */
  threshold?: number | undefined;
  /** Drift not worth a word, in standard deviations of a bet's contrast, 0 to 1: `bad-option`. Default .05; the reference's own uncertainty counts at least. */
  deadZone?: number | undefined;
  /**
   * Rows apart that are as good as independent, 1 to 65535: the bank takes every lag-th row, and the tests count n/lag.
   * Default what the reference says of each feature; where training rows were shuffled it cannot know, and `lag1` tells.
   */
  lag?: number | undefined;
}

/** One window of live rows, and the device's bank of e-detectors, which goes on from window to window. Holds no raw value. */
export interface DriftState {
  /** Takes rows in the order of their coming. Throws `bad-shape`, and then took none. */
  observe(rows: Float32Array): void;
  /** Rows in the window, at most 2⁵³ − 1. */
  readonly n: number;
  report(): DriftReport;
  /** Begins a new window. The bank, the thinning and the row before the window's first go on. */
  roll(): void;
  /** Counts and joint sums of the window, for merging; never the bank. Equal windows give equal bytes. */
  snapshot(): Uint8Array;
  /** Adds another's window, exactly as if its rows were in this one; the bank does not see them. Throws `snapshot-malformed`, `abi-mismatch` or `reference-mismatch`, and then added nothing. */
  merge(snapshot: Uint8Array): void;
  /** Everything, options included, to go on after a restart. */
  save(): Uint8Array;
  free(): void;
}

export interface FleetReport {
  /** Per feature, in the reference's order. */
  features: { name: string; logE: number }[];
  /** Natural logarithm of the mean over features and bets. */
  logE: number;
  /** logE ≥ ln threshold, now. */
  alarm: boolean;
}

/** The control plane's own e-detectors, which step once a round on what the devices counted. */
export interface FleetBank {
  /**
   * One round: M ← (M+1)·exp(Σ c_j·ln T_j), where a count weighs 1/lag of its feature.
   * @param snapshots of windows, merged or one by one.
   * @param options.capRows a snapshot of more rows weighs as this many: no device outvotes the fleet.
   * Throws as `merge` does, and then the round did not happen.
   */
  step(snapshots: Uint8Array | readonly Uint8Array[], options?: { capRows?: number | undefined }): void;
  /** Rounds so far. */
  readonly rounds: number;
  report(): FleetReport;
  save(): Uint8Array;
  free(): void;
}

/** The frozen training distribution. */
export interface DriftReference {
  readonly features: readonly FeatureSpec[];
  readonly names: readonly string[];
  /** Reference rows, those with missing values included. */
  readonly rows: number;
  /** FNV-1a of the bytes, 16 hexadecimal digits: guards against mix-ups, not against forgery. */
  readonly hash: string;
  /** For each feature, rows apart that are as good as independent, by the order in which the reference came; 1 if neighbours are. */
  readonly lags: readonly number[];
  /** The longest of them. */
  readonly lag: number;
  /** What the bank lets pass because a reference of this size cannot know better, in standard deviations of a contrast. */
  readonly tolerance: number;
  /** Whether it can test all features at once. */
  readonly joint: boolean;
  newState(options?: StateOptions): DriftState;
  /** Reads what DriftState.save wrote. Throws `snapshot-malformed`, `abi-mismatch` or `reference-mismatch`. */
  restore(saved: Uint8Array): DriftState;
  newFleetBank(options?: Pick<StateOptions, "threshold" | "deadZone">): FleetBank;
  /** Reads what FleetBank.save wrote. Throws as `restore` does. */
  restoreFleetBank(saved: Uint8Array): FleetBank;
  free(): void;
}

interface BuilderOptions {
  /** Of the sample and of the random features: the same rows and seed give the same bytes. An unsigned 32-bit integer; default 1. */
  seed?: number | undefined;
  /** Whether to test all features at once too. Default: where there are at most 256 features. */
  rff?: boolean | undefined;
}

/** Builds a reference from any number of rows in bounded memory, in two passes over them. */
export interface ReferenceBuilder {
  /** First pass, in batches of any size: draws a sample. Throws `bad-shape`. */
  sample(rows: Float32Array): void;
  /** Second pass, over the same rows in the same order: counts. Throws `bad-shape`, or `passes-differ` when more come. */
  count(rows: Float32Array): void;
  /** The reference's bytes; the builder is used up. Throws `passes-differ` when the passes did not see the same rows. */
  finish(): Uint8Array;
  free(): void;
}

/** How two distributions on the same bins differ; both add up to 1. */
export interface Divergences {
  /** Σ (p − q)·ln(p/q) in nats; Infinity where only one of them is 0. */
  psi: number;
  /** Jensen–Shannon distance, base 2. */
  js: number;
  /** Total variation. */
  tv: number;
  linf: number;
  hellinger: number;
}

/** The kernels, loaded. All variants give the same bits. */
export interface Kernels {
  readonly variant: Variant;
  /** References, snapshots and saved states of another abi are refused. */
  readonly abi: number;
  /** Throws `bad-features`: none or over 4096, a name empty, repeated or over 255 bytes, `known` out of range. */
  newReferenceBuilder(features: readonly FeatureSpec[], options?: BuilderOptions): ReferenceBuilder;
  /** Both passes over rows that are all in memory, every feature a number. Throws as the builder does. */
  buildReference(names: readonly string[], rows: Float32Array): Uint8Array;
  /** Throws `reference-malformed` or `abi-mismatch`. */
  openReference(bytes: Uint8Array): DriftReference;
  /** Two-sample Kolmogorov–Smirnov test, NaN left out; p exact where n·m ≤ 10⁶, else by Kolmogorov's series. */
  ksTwoSample(a: Float64Array, b: Float64Array): { d: number; p: number };
  /** Unbiased quadratic MMD² with kernel exp(−gamma·‖x − y‖²), may be negative. `d` columns; at least two rows each: `bad-shape`. */
  mmd2(x: Float32Array, y: Float32Array, d: number, gamma: number): number;
  /** Wasserstein-1 distance of two samples of finite numbers, NaN left out. */
  wasserstein1(a: Float64Array, b: Float64Array): number;
  /** Throws `bad-shape` when the lengths differ or a probability is negative or no number. */
  divergences(p: Float64Array, q: Float64Array): Divergences;
  /** χ² test of homogeneity on a table of counts, rows of equal length; empty rows and columns do not count. */
  chi2Test(counts: readonly (readonly number[])[]): { statistic: number; p: number; df: number };
}
