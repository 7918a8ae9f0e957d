/** `node js/speed.ts`: nanoseconds a row of `observe`, 16 features × 128 bins, medians of 31 runs. */
import type { Kernels } from "./index.ts";
import { loadKernelsNode } from "./node.ts";

const d = 16;
const rows = 10_000;

/** Median ns a row when `rows` rows are observed in batches of `size`. */
function measure(kernels: Kernels, size: number): number {
  const data = Float32Array.from({ length: rows * d }, () => Math.random() + Math.random() + Math.random());
  const names = Array.from({ length: d }, (_, i) => `f${i}`);
  const state = kernels.openReference(kernels.buildReference(names, data)).newState();
  const batches = Array.from({ length: rows / size }, (_, i) => data.subarray(i * size * d, (i + 1) * size * d));
  const times = Array.from({ length: 31 }, () => {
    const start = performance.now();
    for (const batch of batches) state.observe(batch);
    return performance.now() - start;
  });
  state.free();
  return (times.sort((a, b) => a - b)[15]! / rows) * 1e6;
}

for (const variant of ["simd", "scalar"] as const) {
  const kernels = await loadKernelsNode(variant);
  for (const size of [1, 100, 10_000]) {
    console.log(`${variant}, batches of ${size}: ${measure(kernels, size).toFixed(0)} ns/row`);
  }
}
