/** Loads the committed modules from disk, or the native one where it was built. */
import { readFile } from "node:fs/promises";
import { createRequire } from "node:module";
import { KernelError } from "./error.ts";
import { kernelsOf, type RawKernels } from "./face.ts";
import { type Kernels, loadKernels, type Variant } from "./index.ts";

/**
 * Kernels for Node: SIMD where there is SIMD, or the variant forced; `native` only if it is asked for and was built
 * (`npm run build:native`). Throws KernelError `unavailable`.
 */
export async function loadKernelsNode(force?: Variant): Promise<Kernels> {
  if (force === "native") return kernelsOf(nativeModule(), force);
  return loadKernels({
    simd: () => readFile(new URL("../pkg/kernels_simd.wasm", import.meta.url)),
    scalar: () => readFile(new URL("../pkg/kernels_scalar.wasm", import.meta.url)),
    force,
  });
}

function nativeModule(): RawKernels {
  try {
    return createRequire(import.meta.url)("../native/kernels.node") as RawKernels;
  } catch (cause) {
    const message = "the native kernels do not load: build them by `npm run build:native` in wasm-kernels";
    throw new KernelError("unavailable", message, { cause });
  }
}
