/** Drift kernels that write down what references were to be built of. */
import type { FeatureSpec, Kernels } from "@vedette/wasm-kernels";

interface Built {
  readonly features: readonly FeatureSpec[];
  /** Values of each pass, row by row. */
  readonly sampled: number[];
  readonly counted: number[];
}

export function recordingKernels(abi = 1): Pick<Kernels, "abi" | "newReferenceBuilder"> & { readonly built: Built[] } {
  const built: Built[] = [];
  return {
    abi,
    built,
    newReferenceBuilder(features) {
      const one: Built = { features, sampled: [], counted: [] };
      built.push(one);
      return {
        sample(rows) {
          for (const value of rows) one.sampled.push(value);
        },
        count(rows) {
          for (const value of rows) one.counted.push(value);
        },
        finish: () => new Uint8Array([1, 2, 3]),
        free() {},
      };
    },
  };
}
