/** Loads the committed modules from disk. */
import { readFile } from "node:fs/promises";
import { type Kernels, loadKernels, type Variant } from "./index.ts";

/** Kernels for Node: SIMD where there is SIMD, or the variant forced. Throws KernelError `unavailable`. */
export function loadKernelsNode(force?: Variant): Promise<Kernels> {
  return loadKernels({
    simd: () => readFile(new URL("../pkg/kernels_simd.wasm", import.meta.url)),
    scalar: () => readFile(new URL("../pkg/kernels_scalar.wasm", import.meta.url)),
    force,
  });
}
