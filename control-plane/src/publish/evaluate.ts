/** Runs the model over the reference rows, and measures what one row costs. Talks to a graph only. */
import type { Graph, Output, Place } from "./graph.ts";

/** Larger batches gain nothing on small models, and slow down tree ensembles. */
const batchRows = 256;

/** The graph's answers to `n` rows [n][places.length]. */
export async function answerAll(
  graph: Graph,
  rows: Float64Array,
  n: number,
  places: readonly Place[],
): Promise<Record<string, Output>> {
  const width = places.length;
  const parts = new Map<string, { shape: readonly number[]; data: (number | string)[]; rows: number }>();
  for (let at = 0; at < n; at += batchRows) {
    const count = Math.min(batchRows, n - at);
    const answers = await graph.run(rows.subarray(at * width, (at + count) * width), count, places);
    for (const [name, { shape, data }] of Object.entries(answers)) {
      const part = parts.get(name) ?? { shape: shape.slice(1), data: [], rows: 0 };
      for (const value of data) part.data.push(value);
      part.rows += shape[0] ?? 0;
      parts.set(name, part);
    }
  }
  return Object.fromEntries(
    [...parts].map(([name, { shape, data, rows: answered }]) => [name, { shape: [answered, ...shape], data }]),
  );
}

/** Median ms of one row answered alone, after warming up. */
export async function measureLatency(
  graph: Graph,
  row: Float64Array,
  places: readonly Place[],
  monotonic: () => number,
): Promise<number> {
  const times: number[] = [];
  for (let i = 0; i < 40; i++) {
    const start = monotonic();
    await graph.run(row, 1, places);
    if (i >= 10) times.push(monotonic() - start);
  }
  return times.sort((a, b) => a - b)[15] as number;
}

/** Indices of up to `most` of `n` rows, evenly spread, first and last among them. */
export function spread(n: number, most: number): number[] {
  if (n <= most) return Array.from({ length: n }, (_, i) => i);
  return Array.from({ length: most }, (_, i) => Math.round((i * (n - 1)) / (most - 1)));
}

/** Some rows of [n][width], in the order of `indices`. */
export function pick(rows: Float64Array, width: number, indices: readonly number[]): Float64Array {
  const out = new Float64Array(indices.length * width);
  for (const [i, index] of indices.entries()) out.set(rows.subarray(index * width, (index + 1) * width), i * width);
  return out;
}
