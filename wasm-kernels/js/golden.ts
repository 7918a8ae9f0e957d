/**
 * One fixed run through every function, hashed: builds with the same hash compute the same bits.
 * `node js/golden.ts` prints the hash of both committed variants; `node js/golden.ts simd.wasm scalar.wasm` of others.
 */
import { createHash } from "node:crypto";
import { readFile } from "node:fs/promises";
import { type Kernels, loadKernels } from "./index.ts";
import { loadKernelsNode } from "./node.ts";

/** What KERNEL_ABI 1 computes. A change here is a change of abi. */
export const goldenAbi1 = "5a6c68da7f6229877b276c563c6b181961d0a2595d357108389469428b2a215f";

/** SHA-256, hexadecimal, over the reference, snapshots and the bits of reports of a fixed run. */
export function goldenHash(kernels: Kernels): string {
  const d = 6;
  const hash = createHash("sha256");
  const random = xorshift(2463534242);
  const names = Array.from({ length: d }, (_, i) => `feature ${i}`);
  const bytes = kernels.buildReference(names, table(random, 3000, d, 0));
  const reference = kernels.openReference(bytes);
  hash.update(bytes).update(reference.hash);
  const whole = reference.newState();
  for (const [rows, shift] of [
    [0, 0],
    [1, 0],
    [2, 1],
    [60, 0],
    [997, 0.4],
    [5000, 0.05],
  ] as const) {
    const state = reference.newState();
    state.observe(table(random, rows, d, shift));
    whole.merge(state.snapshot());
    for (const one of [state, whole]) {
      hash.update(one.snapshot());
      for (const alpha of [0.2, 0.01, 1e-9]) {
        for (const { name, verdict, ...numbers } of one.report(alpha)) {
          hash
            .update(name)
            .update(verdict)
            .update(new Float64Array(Object.values(numbers)));
        }
      }
    }
  }
  return hash.digest("hex");
}

/** Rows of six kinds of column: bell-shaped, skewed, two values, few values, every f32 bit pattern, nearly constant. */
function table(random: () => number, rows: number, d: number, shift: number): Float32Array {
  const out = new Float32Array(rows * d);
  const bits = new Uint32Array(out.buffer);
  for (let i = 0; i < rows * d; i += d) {
    out[i] = random() + random() + random() + random() - 2 + shift;
    out[i + 1] = 1 / (0.01 + random()) + shift;
    out[i + 2] = random() < 0.3 + shift / 2 ? 1 : -0;
    out[i + 3] = random() < 0.1 ? Number.NaN : Math.floor(random() * 7 + shift);
    bits[i + 4] = random() * 2 ** 32;
    out[i + 5] = random() < 0.99 - shift / 8 ? 42 : random() * 1e-40;
  }
  return out;
}

/** Marsaglia's xorshift32 as uniform numbers in [0, 1): integers only, so every engine draws alike. */
function xorshift(seed: number): () => number {
  let x = seed;
  return () => {
    x ^= x << 13;
    x ^= x >>> 17;
    x ^= x << 5;
    return (x >>> 0) / 2 ** 32;
  };
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
