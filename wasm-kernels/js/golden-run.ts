/** One fixed run through every function of the kernels. Portable, so that Node and a browser can be held to one hash of it. */
import { utf8 } from "@vedette/protocol/bytes";
import type { Kernels } from "./index.ts";

/** SHA-256 of all bytes of the run, as KERNEL_ABI 1 computes them. A change here is a change of abi. */
export const goldenAbi1 = "5a6c68da7f6229877b276c563c6b181961d0a2595d357108389469428b2a215f";

/** Hands over the bytes of reference, snapshots and reports, in order. */
export function goldenRun(kernels: Kernels, take: (bytes: Uint8Array) => void): void {
  const d = 6;
  const random = xorshift(2463534242);
  const names = Array.from({ length: d }, (_, i) => `feature ${i}`);
  const bytes = kernels.buildReference(names, table(random, 3000, d, 0));
  const reference = kernels.openReference(bytes);
  take(bytes);
  take(utf8(reference.hash));
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
      take(one.snapshot());
      for (const alpha of [0.2, 0.01, 1e-9]) {
        for (const { name, verdict, ...numbers } of one.report(alpha)) {
          take(utf8(name + verdict));
          take(new Uint8Array(new Float64Array(Object.values(numbers)).buffer));
        }
      }
    }
  }
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
