/** What is measured: each cell is one kind of stream, drawn again for each number from the seed that names it. */
import { drawFrom, seedOf } from "./normal.ts";
import { type Shift, shifts } from "./shifts.ts";
import { type Dependence, dependences, features, type Population, sourceOf } from "./source.ts";

export interface Cell {
  readonly name: string;
  readonly population: Population;
  readonly dependence: Dependence;
  /** Rows of the reference. */
  readonly m: number;
  /** Null where nothing ever changes, and every alarm is false. */
  readonly shift: Shift | null;
}

/** One reference and what came after it, row-major f32 [rows][16]. */
export interface Stream {
  /** The cell of like rows where nothing changes: a detector that is slow to set up does so once for each. */
  readonly family: Cell;
  readonly reference: Float32Array;
  readonly rows: Float32Array;
  /** The first row that is not as before; null where there is none. */
  readonly change: number | null;
}

/** Rows of a stream: twice the run length between false alarms that is asked for. */
export const streamRows = 20_000;
const referenceRows = [1_000, 10_000, 100_000] as const;
/** Where nothing else is said. */
export const usualM = 10_000;

const nulls: readonly Cell[] = [
  ...dependences.flatMap((dependence) =>
    referenceRows.map((m) => nullCell(`null ${dependence} ${m / 1000}k`, "gaussian", dependence, m)),
  ),
  nullCell("null classes iid 10k", "classes", "iid", usualM),
];

export const cells: readonly Cell[] = [
  ...nulls,
  ...shifts.map((shift) => shiftCell(shift, "iid")),
  // In rows that depend on each other: thinning must not make a shift invisible.
  ...(["ar.5", "ar.8", "seasonal"] as const).flatMap((dependence) =>
    shifts.slice(0, 2).map((shift) => shiftCell(shift, dependence)),
  ),
];

function nullCell(name: string, population: Population, dependence: Dependence, m: number): Cell {
  return { name, population, dependence, m, shift: null };
}

function shiftCell(shift: Shift, dependence: Dependence): Cell {
  return { name: `${shift.name} ${dependence} 10k`, population: shift.population, dependence, m: usualM, shift };
}

/** The cell of the same rows where nothing changes: it says how often a detector alarms for nothing. */
export function nullOf(cell: Cell): Cell {
  const found = nulls.find(
    ({ population, dependence, m }) => population === cell.population && dependence === cell.dependence && m === cell.m,
  );
  if (!found) throw new Error(`no cell without a change has the rows of ${cell.name}`);
  return found;
}

/**
 * Stream `number` of a cell: reference and rows are drawn apart, so both are the same whoever asks for what else.
 * A change comes at a row between 1,000 and 2,023, so that it falls anywhere in anyone's windows.
 */
export function streamOf(cell: Cell, number: number, length = streamRows): Stream {
  const name = seedOf(cell.name);
  const reference = referenceOf(cell, number);
  const rows = new Float32Array(length * features);
  const source = sourceOf(cell.population, cell.dependence, drawFrom([name, number, 2]));
  const { shift } = cell;
  const family = nullOf(cell);
  if (!shift) {
    fill(rows, source);
    return { family, reference, rows, change: null };
  }
  const draw = drawFrom([name, number, 3]);
  const change = 1000 + Math.floor(draw.uniform() * 1024);
  const row = new Float64Array(features);
  for (let i = 0; i < length; i++) {
    for (;;) {
      const label = source(row);
      if (i < change || shift.apply(row, label, draw)) break;
    }
    rows.set(row, i * features);
  }
  return { family, reference, rows, change };
}

/** The reference of stream `number` of a cell. */
export function referenceOf(cell: Cell, number: number): Float32Array {
  const reference = new Float32Array(cell.m * features);
  fill(reference, sourceOf(cell.population, cell.dependence, drawFrom([seedOf(cell.name), number, 1])));
  return reference;
}

function fill(rows: Float32Array, source: (row: Float64Array) => number): void {
  const row = new Float64Array(features);
  for (let i = 0; i < rows.length; i += features) {
    source(row);
    rows.set(row, i);
  }
}
