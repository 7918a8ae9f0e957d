/* tslint:disable */
/* eslint-disable */

export class Reference {
    free(): void;
    [Symbol.dispose](): void;
    /**
     * 16 hexadecimal digits.
     */
    hash(): string;
    names(): string[];
    newState(): State;
    constructor(bytes: Uint8Array);
    restore(snapshot: Uint8Array): State;
    rows(): number;
}

export class State {
    private constructor();
    free(): void;
    [Symbol.dispose](): void;
    merge(snapshot: Uint8Array): void;
    observe(rows: Float32Array): void;
    /**
     * Eight numbers a feature: n, missing, psi, psiCritical, ksLow, ksHigh, pValue, and the verdict as 0 (insufficient),
     * 1 (none) or 2 (drift).
     */
    report(alpha: number): Float64Array;
    reset(): void;
    /**
     * Rows seen: an integer that a double holds exactly.
     */
    rows(): number;
    snapshot(): Uint8Array;
}

/**
 * Bytes of a reference built from `rows`: row-major \[m\]\[names.len()\], NaN = missing.
 */
export function buildReference(names: string[], rows: Float32Array): Uint8Array;

/**
 * The number that references and snapshots carry.
 */
export function kernelAbi(): number;

export type InitInput = RequestInfo | URL | Response | BufferSource | WebAssembly.Module;

export interface InitOutput {
    readonly memory: WebAssembly.Memory;
    readonly __wbg_reference_free: (a: number, b: number) => void;
    readonly __wbg_state_free: (a: number, b: number) => void;
    readonly buildReference: (a: number, b: number, c: number, d: number, e: number) => void;
    readonly kernelAbi: () => number;
    readonly reference_hash: (a: number, b: number) => void;
    readonly reference_names: (a: number, b: number) => void;
    readonly reference_new: (a: number, b: number, c: number) => void;
    readonly reference_newState: (a: number) => number;
    readonly reference_restore: (a: number, b: number, c: number, d: number) => void;
    readonly reference_rows: (a: number) => number;
    readonly state_merge: (a: number, b: number, c: number, d: number) => void;
    readonly state_observe: (a: number, b: number, c: number, d: number) => void;
    readonly state_report: (a: number, b: number, c: number) => void;
    readonly state_reset: (a: number) => void;
    readonly state_rows: (a: number) => number;
    readonly state_snapshot: (a: number, b: number) => void;
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
