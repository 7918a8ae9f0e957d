/**
 * Golden vectors: real rows and what the model answered to them here, so that every device can prove that it computes
 * the same. Pure.
 */
import type { GoldenVectors, OutputSchema } from "@vedette/protocol/bundle";
import { spread } from "./evaluate.ts";
import type { Output } from "./graph.ts";

/** Most rows that are kept. */
const goldenRows = 64;
/** Of which so many hold the smallest and largest value of a field. */
const extremeRows = 16;
/** Two scores nearer than this could swap on another backend, and with them the class. */
const clearMargin = 1e-3;

/**
 * Devices run other vector units, and pages other kernels: float32 sums differ in their last bits there. Relative to the
 * answer, with an absolute part for answers near zero.
 */
const tolerance: GoldenVectors["tolerance"] = {
  "node-cpu": { absolute: 1e-5, relative: 1e-4 },
  wasm: { absolute: 1e-4, relative: 1e-3 },
};

/**
 * Rows that hold the fields' extremes first, then rows spread over the whole; none without a clear winner or with an
 * answer that is not finite.
 * @param rows [n][width], NaN = missing.
 */
export function chooseGolden(
  rows: Float64Array,
  n: number,
  width: number,
  answers: Readonly<Record<string, Output>>,
  output: OutputSchema,
): GoldenVectors | undefined {
  const usable = (row: number): boolean => finite(answers, row, n) && clear(answers, row, n, output);
  const chosen = new Set<number>();
  for (const row of extremes(rows, n, width)) if (chosen.size < extremeRows && usable(row)) chosen.add(row);
  for (const row of spread(n, 4 * goldenRows)) if (chosen.size < goldenRows && usable(row)) chosen.add(row);
  if (chosen.size === 0) return undefined;
  const indices = [...chosen].sort((a, b) => a - b);
  return {
    rows: indices.map((row) =>
      Array.from(rows.subarray(row * width, (row + 1) * width), (value) => (Number.isNaN(value) ? null : value)),
    ),
    outputs: Object.fromEntries(
      Object.entries(answers).map(([name, all]) => [name, indices.flatMap((row) => rowOf(all, row, n))]),
    ),
    tolerance,
  };
}

/** What one output answers to one row. */
export function rowOf(output: Output, row: number, n: number): readonly (number | string)[] {
  const width = output.data.length / n;
  return output.data.slice(row * width, (row + 1) * width);
}

/** Whether every output answers this row with numbers that are numbers. */
export function finite(answers: Readonly<Record<string, Output>>, row: number, n: number): boolean {
  return Object.values(answers).every((output) =>
    rowOf(output, row, n).every((value) => typeof value === "string" || Number.isFinite(value)),
  );
}

function clear(answers: Readonly<Record<string, Output>>, row: number, n: number, output: OutputSchema): boolean {
  if (output.task === "regression") return true;
  const scores = rowOf(answers[output.scores.tensor] as Output, row, n) as readonly number[];
  if (scores.length === 1) return Math.abs(scores[0] as number) > clearMargin;
  const [first, second] = [...scores].sort((a, b) => b - a) as [number, number];
  return first - second > clearMargin;
}

function extremes(rows: Float64Array, n: number, width: number): number[] {
  const found: number[] = [];
  for (let field = 0; field < width; field++) {
    let low = -1;
    let high = -1;
    for (let row = 0; row < n; row++) {
      const value = rows[row * width + field] as number;
      if (Number.isNaN(value)) continue;
      if (low < 0 || value < (rows[low * width + field] as number)) low = row;
      if (high < 0 || value > (rows[high * width + field] as number)) high = row;
    }
    if (low >= 0) found.push(low, high);
  }
  return found;
}
