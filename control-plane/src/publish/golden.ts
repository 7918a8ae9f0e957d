/**
 * Golden vectors: real rows and what the model answered to them here, so that every device can prove that it computes
 * the same. Pure.
 */
import type { GoldenVectors, OutputSchema } from "@vedette/protocol/bundle";
import { joinTensors, sliceTensor } from "@vedette/protocol/feeds";
import type { Tensor } from "@vedette/protocol/tensors";
import { finite, rowOf, spread } from "./evaluate.ts";
import type { Output } from "./graph.ts";
import type { Reference } from "./reference.ts";

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

/** Most bytes of raw tensors that are kept: a device fetches them with the model. */
const rawBytes = 2 * 1024 * 1024;

/**
 * Rows that hold the fields' extremes first, then rows spread over the whole; none without a clear winner or with an
 * answer that is not finite.
 * @param rows which of the reference data were answered.
 */
export function chooseGolden(
  data: Reference,
  rows: readonly number[],
  answers: Readonly<Record<string, Output>>,
  output: OutputSchema,
): GoldenVectors | undefined {
  const n = rows.length;
  const usable = (at: number): boolean => finite(answers, at, n) && clear(answers, at, n, output);
  const most = mostRows(data);
  const chosen = new Set<number>();
  for (const at of extremes(data, rows)) if (chosen.size < Math.min(extremeRows, most) && usable(at)) chosen.add(at);
  for (const at of spread(n, 4 * goldenRows)) if (chosen.size < most && usable(at)) chosen.add(at);
  if (chosen.size === 0) return undefined;
  const indices = [...chosen].sort((a, b) => a - b);
  const kept = indices.map((at) => rows[at] as number);
  return {
    rows: kept.map((row) => data.columns.map((column) => plain(column?.[row]))),
    ...(Object.keys(data.tensors).length > 0 && { tensors: packed(data.tensors, kept) }),
    outputs: Object.fromEntries(
      Object.entries(answers).map(([name, all]) => [name, indices.flatMap((at) => rowOf(all, at, n))]),
    ),
    tolerance: tolerances(data, output),
  };
}

function mostRows({ tensors }: Reference): number {
  const bytes = Object.values(tensors).reduce(
    (sum, { data, shape }) => sum + (data as Float64Array).byteLength / (shape[0] ?? 1),
    0,
  );
  return bytes === 0 ? goldenRows : Math.max(1, Math.min(goldenRows, Math.floor(rawBytes / bytes)));
}

function packed(
  tensors: Readonly<Record<string, Tensor>>,
  rows: readonly number[],
): NonNullable<GoldenVectors["tensors"]> {
  return Object.fromEntries(
    Object.entries(tensors).map(([name, tensor]) => {
      const { datatype, shape, data } = joinTensors(rows.map((row) => sliceTensor(tensor, row, row + 1)));
      const { buffer, byteOffset, byteLength } = data as Float64Array;
      return [
        name,
        { datatype, shape: [...shape], data: Buffer.from(buffer, byteOffset, byteLength).toString("base64") },
      ];
    }),
  );
}

function plain(value: number | string | null | undefined): number | string | null {
  return value === undefined || Number.isNaN(value) ? null : value;
}

/** Halves have 11 bits: what other kernels add up in another order differs at the third digit. */
function tolerances({ graphInputs }: Reference, { tensors }: OutputSchema): GoldenVectors["tolerance"] {
  const halves = [...graphInputs, ...tensors].some(({ datatype }) => datatype === "FP16");
  return halves
    ? { "node-cpu": { absolute: 2e-3, relative: 1e-2 }, wasm: { absolute: 4e-3, relative: 2e-2 } }
    : tolerance;
}

function clear(answers: Readonly<Record<string, Output>>, row: number, n: number, output: OutputSchema): boolean {
  if (output.task !== "classification") return true;
  const scores = rowOf(answers[output.scores.tensor] as Output, row, n) as readonly number[];
  if (scores.length === 1) return Math.abs(scores[0] as number) > clearMargin;
  const [first, second] = [...scores].sort((a, b) => b - a) as [number, number];
  return first - second > clearMargin;
}

/** Places in `rows` of the smallest and largest value of each column of numbers, and of a row for each category. */
function extremes({ columns }: Reference, rows: readonly number[]): number[] {
  const found: number[] = [];
  const texts: number[] = [];
  for (const column of columns) {
    if (column === undefined) continue;
    if (!(column instanceof Float64Array)) {
      const seen = new Set<string | null>();
      for (const [at, row] of rows.entries()) {
        const text = column[row] ?? null;
        if (!seen.has(text) && seen.size < extremeRows) texts.push(at);
        seen.add(text);
      }
      continue;
    }
    let low = -1;
    let high = -1;
    const at = (place: number) => column[rows[place] as number] as number;
    for (let place = 0; place < rows.length; place++) {
      if (Number.isNaN(at(place))) continue;
      if (low < 0 || at(place) < at(low)) low = place;
      if (high < 0 || at(place) > at(high)) high = place;
    }
    if (low >= 0) found.push(low, high);
  }
  return [...found, ...texts];
}
