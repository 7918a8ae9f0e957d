/** Numbers to measure with: the same for every run, and never constant (constant inputs understate drift many times). */
import { mulberry32 } from "../../fixtures/src/fleet/random.ts";

export const fieldCount = 16;

/** `n` rows as sensors give them: each field wanders slowly, and is read to one decimal. */
export function sensorRows(n: number, seed = 1): Float32Array {
  const random = mulberry32(seed);
  const at = Array.from({ length: fieldCount }, (_, f) => 10 + 5 * f);
  const rows = new Float32Array(n * fieldCount);
  for (let i = 0; i < rows.length; i++) {
    const f = i % fieldCount;
    at[f] = (at[f] as number) + (random() - 0.5) * 0.3;
    rows[i] = Math.round((at[f] as number) * 10) / 10;
  }
  return rows;
}

/** The layers of an MLP with weights small enough that its classes stay in doubt. */
export function mlpLayers(widths: readonly number[], seed = 7) {
  const random = mulberry32(seed);
  const weight = (inputs: number): number => ((random() - 0.5) * 2) / Math.sqrt(inputs) / 4;
  return widths.slice(1).map((outputs, i) => {
    const inputs = widths[i] as number;
    return {
      weights: Array.from({ length: inputs }, () => Array.from({ length: outputs }, () => weight(inputs))),
      bias: Array.from({ length: outputs }, () => weight(inputs)),
    };
  });
}

/** Side of the images, in pixels of three channels. */
export const imageSize = 64;
export const imageValues = 3 * imageSize * imageSize;

/** `n` images [3][size][size] of eight-bit pixels, scaled to [0, 1) with three decimals: noise over a wandering brightness. */
export function images(n: number, seed = 1): Float32Array {
  const random = mulberry32(seed);
  const values = new Float32Array(n * imageValues);
  for (let i = 0; i < n; i++) {
    const brightness = 0.2 + 0.4 * random();
    for (let k = 0; k < imageValues; k++) {
      values[i * imageValues + k] = Math.round((brightness + 0.3 * random()) * 1000) / 1000;
    }
  }
  return values;
}
