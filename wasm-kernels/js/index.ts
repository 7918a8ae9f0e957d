/**
 * Drift statistics, the same bits on device, in pages and in the control plane. Runs anywhere WebAssembly does;
 * `node.ts` and `browser.ts` find the committed modules.
 */
import { createGlue } from "../pkg/kernels.js";
import { KernelError } from "./error.ts";
import { kernelsOf, type Observe } from "./face.ts";
import type { Kernels, Variant } from "./kernels.ts";
import { supportsSimd } from "./simd.ts";

export { KernelError, type KernelErrorCode } from "./error.ts";
export type {
  Divergences,
  DriftReference,
  DriftReport,
  DriftState,
  FeatureReport,
  FeatureSpec,
  FleetBank,
  FleetReport,
  JointReport,
  Kernels,
  ReferenceBuilder,
  StateOptions,
  Variant,
} from "./kernels.ts";
export { supportsSimd } from "./simd.ts";

/** The abi of the kernels that this program goes with: KERNEL_ABI of the crate. */
export const kernelAbi = 2;

/** The builds that run everywhere. */
export type WasmVariant = Exclude<Variant, "native">;

/** A module, compiled or not, or a way to get it that is taken only if that variant is chosen. */
export type ModuleSource = BufferSource | WebAssembly.Module | (() => Promise<BufferSource | WebAssembly.Module>);

export interface LoadOptions {
  simd: ModuleSource;
  scalar: ModuleSource;
  /** Which variant to load; without it SIMD where the engine has it. */
  force?: WasmVariant | undefined;
}

/**
 * Loads one variant. Every call gives kernels with memory of their own.
 * Throws KernelError `unavailable` when the module does not come or does not run here; `cause` says why.
 */
export async function loadKernels(options: LoadOptions): Promise<Kernels> {
  const variant = options.force ?? (supportsSimd() ? "simd" : "scalar");
  const glue = createGlue();
  try {
    const source = options[variant];
    const { memory } = await glue.init({ module_or_path: typeof source === "function" ? await source() : source });
    return kernelsOf(glue, variant, observeIn(memory));
  } catch (cause) {
    throw new KernelError("unavailable", `the ${variant} kernels could not be loaded: ${String(cause)}`, { cause });
  }
}

/** So many values use the room that a state keeps. */
const roomFloats = 4096;

/** A few rows are put where the state keeps room for them: a call for one row would cost half as much again. */
function observeIn(memory: WebAssembly.Memory): Observe {
  let floats = new Float32Array(memory.buffer);
  return (state, rows) => {
    if (rows.length <= roomFloats) {
      const at = state.room(rows.length);
      // Memory that grew has another buffer.
      if (floats.length === 0) floats = new Float32Array(memory.buffer);
      floats.set(rows, at / 4);
      if (state.observeRoom(rows.length)) return;
    }
    state.observe(rows); // says what is wrong with the others
  };
}
