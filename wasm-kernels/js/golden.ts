/**
 * The hash of the golden run: builds with the same hash compute the same bits.
 * `node js/golden.ts` prints the hash of both committed variants; `node js/golden.ts simd.wasm scalar.wasm` of others.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { goldenRun } from "./golden-run.ts";
import { type Kernels, loadKernels } from "./index.ts";
import { loadKernelsNode } from "./node.ts";

/** SHA-256, hexadecimal. */
export function goldenHash(kernels: Kernels): string {
  const hash = createHash("sha256");
  goldenRun(kernels, (bytes) => hash.update(bytes));
  return hash.digest("hex");
}

if (import.meta.main) {
  const [simd, scalar] = process.argv.slice(2);
  for (const force of ["simd", "scalar"] as const) {
    const kernels =
      simd && scalar
        ? await loadKernels({ simd: () => readFile(simd), scalar: () => readFile(scalar), force })
        : await loadKernelsNode(force);
    console.log(`${force} ${goldenHash(kernels)}`);
  }
}
