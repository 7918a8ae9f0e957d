/**
 * The hash of the golden run: builds with the same hash compute the same bits.
 * `node js/golden.ts` prints the hash of both committed variants; `node js/golden.ts simd.wasm scalar.wasm` of others;
 * `node js/golden.ts native` of the native build.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { goldenRun } from "./golden-run.ts";
import { type Kernels, loadKernels, type WasmVariant } from "./index.ts";
import { loadKernelsNode } from "./node.ts";

/** SHA-256, hexadecimal. */
export function goldenHash(kernels: Kernels): string {
  const hash = createHash("sha256");
  goldenRun(kernels, (bytes) => hash.update(bytes));
  return hash.digest("hex");
}

if (import.meta.main) {
  const [simd, scalar] = process.argv.slice(2);
  const load = (force: WasmVariant) =>
    simd && scalar
      ? loadKernels({ simd: () => readFile(simd), scalar: () => readFile(scalar), force })
      : loadKernelsNode(force);
  const loading = simd === "native" ? [loadKernelsNode("native")] : [load("simd"), load("scalar")];
  for (const kernels of await Promise.all(loading)) console.log(`${kernels.variant} ${goldenHash(kernels)}`);
}
