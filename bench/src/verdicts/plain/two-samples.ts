/** Tests of two samples in plain JavaScript, from their definitions. */

/** sup |F − G| of two samples; sorts copies. */
export function ksDistance(a: Float64Array, b: Float64Array): number {
  const [x, y] = [a.slice().sort(), b.slice().sort()];
  let [i, j, d] = [0, 0, 0];
  while (i < x.length && j < y.length) {
    const value = Math.min(x[i]!, y[j]!);
    while (i < x.length && x[i]! <= value) i++;
    while (j < y.length && y[j]! <= value) j++;
    d = Math.max(d, Math.abs(i / x.length - j / y.length));
  }
  return d;
}

/** P(D ≥ d) by Kolmogorov's series with Stephens' correction. */
export function ksPValue(d: number, n: number, m: number): number {
  const root = Math.sqrt((n * m) / (n + m));
  const lambda = (root + 0.12 + 0.11 / root) * d;
  if (lambda < 0.2) return 1;
  let p = 0;
  for (let k = 1; k <= 100; k++) p += (k % 2 === 1 ? 2 : -2) * Math.exp(-2 * k * k * lambda * lambda);
  return Math.min(1, Math.max(0, p));
}

/** Unbiased squared MMD with the kernel e^(−γ‖x−y‖²) of row-major samples of width `d`. */
export function mmd2(x: Float32Array, y: Float32Array, d: number, gamma: number): number {
  const [n, m] = [x.length / d, y.length / d];
  const sum = (a: Float32Array, b: Float32Array, apart: boolean): number => {
    let total = 0;
    for (let i = 0; i < a.length; i += d) {
      for (let j = 0; j < b.length; j += d) {
        if (apart && i === j) continue;
        let distance = 0;
        for (let k = 0; k < d; k++) distance += (a[i + k]! - b[j + k]!) ** 2;
        total += Math.exp(-gamma * distance);
      }
    }
    return total;
  };
  return sum(x, x, true) / (n * (n - 1)) + sum(y, y, true) / (m * (m - 1)) - (2 * sum(x, y, false)) / (n * m);
}

/** Cosines and sines of `rows` under frequencies W [width][pairs], summed over the rows: random Fourier features (Rahimi & Recht 2007). */
export function fourierSums(rows: Float32Array, weights: Float32Array, width: number): Float64Array {
  const pairs = weights.length / width;
  const sums = new Float64Array(2 * pairs);
  for (let i = 0; i < rows.length; i += width) {
    for (let k = 0; k < pairs; k++) {
      let angle = 0;
      for (let f = 0; f < width; f++) angle += weights[f * pairs + k]! * rows[i + f]!;
      sums[2 * k]! += Math.cos(angle);
      sums[2 * k + 1]! += Math.sin(angle);
    }
  }
  return sums;
}
