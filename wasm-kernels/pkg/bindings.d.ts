/* tslint:disable */
/* eslint-disable */

/**
 * Empty once it has finished.
 */
export class Builder {
    free(): void;
    [Symbol.dispose](): void;
    count(rows: Float32Array): void;
    finish(): Uint8Array;
    /**
     * `kinds`: as `Feature::from_numbers` reads them.
     */
    constructor(names: string[], kinds: Int32Array, seed: number, joint: boolean);
    sample(rows: Float32Array): void;
}

export class FleetBank {
    private constructor();
    free(): void;
    [Symbol.dispose](): void;
    /**
     * As `FleetReport::to_numbers` lists them.
     */
    report(): Float64Array;
    rounds(): number;
    save(): Uint8Array;
    /**
     * `bytes`: snapshots one after the other, of these lengths.
     */
    step(bytes: Uint8Array, lengths: Uint32Array, cap_rows: number): void;
}

export class Reference {
    free(): void;
    [Symbol.dispose](): void;
    hasJoint(): boolean;
    /**
     * 16 hexadecimal digits.
     */
    hash(): string;
    /**
     * As `Feature::kind_number` says them.
     */
    kinds(): Int32Array;
    lags(): Uint32Array;
    names(): string[];
    newFleetBank(threshold: number, dead_zone: number): FleetBank;
    /**
     * `lag` 0: the features' own.
     */
    newState(alpha: number, threshold: number, dead_zone: number, lag: number): State;
    constructor(bytes: Uint8Array);
    restoreFleetBank(saved: Uint8Array): FleetBank;
    restore(saved: Uint8Array): State;
    rows(): number;
    tolerance(): number;
}

export class State {
    private constructor();
    free(): void;
    [Symbol.dispose](): void;
    merge(snapshot: Uint8Array): void;
    /**
     * Observes so many values that were put there; false, and none was taken, where they are not whole rows.
     */
    observeRoom(values: number): boolean;
    observe(rows: Float32Array): void;
    /**
     * As `Report::to_numbers` lists them.
     */
    report(): Float64Array;
    roll(): void;
    /**
     * Address of room for so many values, until the next call.
     */
    room(values: number): number;
    /**
     * Rows of the window: an integer that a double holds exactly.
     */
    rows(): number;
    save(): Uint8Array;
    snapshot(): Uint8Array;
}

/**
 * Statistic, p and degrees of freedom.
 */
export function chi2Test(table: Float64Array, columns: number): Float64Array;

/**
 * As `Divergences::to_numbers` lists them.
 */
export function divergences(p: Float64Array, q: Float64Array): Float64Array;

/**
 * The number that references and snapshots carry.
 */
export function kernelAbi(): number;

/**
 * D and p of the two-sample Kolmogorov–Smirnov test.
 */
export function ksTwoSample(a: Float64Array, b: Float64Array): Float64Array;

export function mmd2(x: Float32Array, y: Float32Array, d: number, gamma: number): number;

export function wasserstein1(a: Float64Array, b: Float64Array): number;

export type InitInput = RequestInfo | URL | Response | BufferSource | WebAssembly.Module;

export interface InitOutput {
    readonly memory: WebAssembly.Memory;
    readonly __wbg_builder_free: (a: number, b: number) => void;
    readonly __wbg_fleetbank_free: (a: number, b: number) => void;
    readonly __wbg_reference_free: (a: number, b: number) => void;
    readonly __wbg_state_free: (a: number, b: number) => void;
    readonly builder_count: (a: number, b: number, c: number, d: number) => void;
    readonly builder_finish: (a: number, b: number) => void;
    readonly builder_new: (a: number, b: number, c: number, d: number, e: number, f: number, g: number) => void;
    readonly builder_sample: (a: number, b: number, c: number, d: number) => void;
    readonly chi2Test: (a: number, b: number, c: number, d: number) => void;
    readonly divergences: (a: number, b: number, c: number, d: number, e: number) => void;
    readonly fleetbank_report: (a: number, b: number) => void;
    readonly fleetbank_rounds: (a: number) => number;
    readonly fleetbank_save: (a: number, b: number) => void;
    readonly fleetbank_step: (a: number, b: number, c: number, d: number, e: number, f: number, g: number) => void;
    readonly kernelAbi: () => number;
    readonly ksTwoSample: (a: number, b: number, c: number, d: number, e: number) => void;
    readonly mmd2: (a: number, b: number, c: number, d: number, e: number, f: number, g: number) => void;
    readonly reference_hasJoint: (a: number) => number;
    readonly reference_hash: (a: number, b: number) => void;
    readonly reference_kinds: (a: number, b: number) => void;
    readonly reference_lags: (a: number, b: number) => void;
    readonly reference_names: (a: number, b: number) => void;
    readonly reference_new: (a: number, b: number, c: number) => void;
    readonly reference_newFleetBank: (a: number, b: number, c: number, d: number) => void;
    readonly reference_newState: (a: number, b: number, c: number, d: number, e: number, f: number) => void;
    readonly reference_restore: (a: number, b: number, c: number, d: number) => void;
    readonly reference_restoreFleetBank: (a: number, b: number, c: number, d: number) => void;
    readonly reference_rows: (a: number) => number;
    readonly reference_tolerance: (a: number) => number;
    readonly state_merge: (a: number, b: number, c: number, d: number) => void;
    readonly state_observe: (a: number, b: number, c: number, d: number) => void;
    readonly state_observeRoom: (a: number, b: number) => number;
    readonly state_report: (a: number, b: number) => void;
    readonly state_roll: (a: number) => void;
    readonly state_room: (a: number, b: number) => number;
    readonly state_rows: (a: number) => number;
    readonly state_save: (a: number, b: number) => void;
    readonly state_snapshot: (a: number, b: number) => void;
    readonly wasserstein1: (a: number, b: number, c: number, d: number, e: number) => void;
    readonly __wbindgen_export: (a: number, b: number) => number;
    readonly __wbindgen_export2: (a: number, b: number, c: number, d: number) => number;
    readonly __wbindgen_add_to_stack_pointer: (a: number) => number;
    readonly __wbindgen_export3: (a: number, b: number, c: number) => void;
}

export type SyncInitInput = BufferSource | WebAssembly.Module;

/**
 * Instantiates the given `module`, which can either be bytes or
 * a precompiled `WebAssembly.Module`.
 *
 * @param {{ module: SyncInitInput }} module - Passing `SyncInitInput` directly is deprecated.
 *
 * @returns {InitOutput}
 */
export function initSync(module: { module: SyncInitInput } | SyncInitInput): InitOutput;

/**
 * If `module_or_path` is {RequestInfo} or {URL}, makes a request and
 * for everything else, calls `WebAssembly.instantiate` directly.
 *
 * @param {{ module_or_path: InitInput | Promise<InitInput> }} module_or_path - Passing `InitInput` directly is deprecated.
 *
 * @returns {Promise<InitOutput>}
 */
export default function __wbg_init (module_or_path: { module_or_path: InitInput | Promise<InitInput> } | InitInput | Promise<InitInput>): Promise<InitOutput>;
