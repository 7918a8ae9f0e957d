/** Fetches the committed modules. Bundlers see the two literal URLs and ship both files; a page fetches one. */
import { type Kernels, loadKernels, type WasmVariant } from "./index.ts";

/** Kernels for pages and workers: SIMD where there is SIMD, or the variant forced. Throws KernelError `unavailable`. */
export function loadKernelsBrowser(force?: WasmVariant): Promise<Kernels> {
  return loadKernels({
    simd: () => compile(new URL("../pkg/kernels_simd.wasm", import.meta.url)),
    scalar: () => compile(new URL("../pkg/kernels_scalar.wasm", import.meta.url)),
    force,
  });
}

/** Not compileStreaming: that refuses servers without the wasm media type, and the modules are small. */
async function compile(url: URL): Promise<WebAssembly.Module> {
  const response = await fetch(url);
  if (!response.ok) throw new Error(`${url.href} answered ${response.status}`);
  return WebAssembly.compile(await response.arrayBuffer());
}
