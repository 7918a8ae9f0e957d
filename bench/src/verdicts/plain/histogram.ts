/** Equal-mass bins in plain JavaScript, from the definition: an oracle for the kernels, and what they are measured beside. */

const fineBins = 128;
export const coarseBins = 16;

/** The 127 inner edges of one feature; bin j holds edge[j−1] ≤ x < edge[j]. Of values without ties only: atoms are the kernels' matter. */
export function edgesOf(values: Float32Array, bins = fineBins): Float32Array {
  const sorted = values.slice().sort();
  return Float32Array.from({ length: bins - 1 }, (_, j) => sorted[Math.floor(((j + 1) * sorted.length) / bins)]!);
}

/** The bin of a number: how many edges lie at or below it, by bisection. */
export function binOf(edges: Float32Array, x: number): number {
  let low = 0;
  let high = edges.length;
  while (low < high) {
    const middle = (low + high) >> 1;
    if (edges[middle]! <= x) low = middle + 1;
    else high = middle;
  }
  return low;
}

/** Column `feature` of row-major rows. */
export function column(rows: Float32Array, width: number, feature: number): Float32Array {
  return Float32Array.from({ length: rows.length / width }, (_, i) => rows[i * width + feature]!);
}

export function countsOf(edges: Float32Array, values: Float32Array): Float64Array {
  const counts = new Float64Array(edges.length + 1);
  for (const x of values) counts[binOf(edges, x)]!++;
  return counts;
}

/** Fine counts as coarse ones: eight to one. */
export function coarse(counts: Float64Array): Float64Array {
  const sums = new Float64Array(coarseBins);
  const each = counts.length / coarseBins;
  for (const [j, count] of counts.entries()) sums[Math.floor(j / each)]! += count;
  return sums;
}

/** Population stability index of counts, Jeffreys smoothing (c+½)/(n+B/2) over the B bins that either side uses, in nats. */
export function psi(reference: Float64Array, observed: Float64Array): number {
  const used = [...reference.keys()].filter((j) => reference[j]! + observed[j]! > 0);
  const share = (counts: Float64Array): number[] => {
    const total = counts.reduce((sum, count) => sum + count, 0) + used.length / 2;
    return used.map((j) => (counts[j]! + 0.5) / total);
  };
  const [p, q] = [share(observed), share(reference)];
  return p.reduce((sum, pj, j) => sum + (pj - q[j]!) * Math.log(pj / q[j]!), 0);
}
