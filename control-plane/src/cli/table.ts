/** Rows for people: columns as wide as they need to be. Pure. */
import { printableLine } from "../printable.ts";

type Cell = string | number | boolean | null;

/** What stands where there is nothing. */
const nothing = "-";

/** Characters that the last column is to have beside the others; with less it stands below them. */
const leastBeside = 40;
const below = "    ";

export function table(columns: readonly string[], rows: readonly (readonly Cell[])[]): string {
  return ended(laidOut(cellsOf(columns, rows)));
}

/**
 * The same, where the last column holds text as long as it comes: on a terminal that is too narrow it is broken between words,
 * and nowhere is it cut.
 * @param width of the terminal, in characters; null where it goes elsewhere: then each row is one line.
 */
export function tableWithin(
  columns: readonly string[],
  rows: readonly (readonly Cell[])[],
  width: number | null,
): string {
  const cells = cellsOf(columns, rows);
  const whole = laidOut(cells);
  if (width === null || whole.every((line) => lengthOf(line.trimEnd()) <= width)) return ended(whole);
  const heads = laidOut(cells.map((row) => [...row.slice(0, -1), ""]));
  const indent = heads[0]?.length ?? 0;
  const beside = width - indent >= leastBeside;
  const lines = cells.flatMap((row, i) => {
    const head = heads[i] ?? "";
    const [first = "", ...more] = broken(row.at(-1) ?? "", width - (beside ? indent : below.length));
    if (beside) return [`${head}${first}`, ...more.map((line) => `${" ".repeat(indent)}${line}`)];
    return [head, ...(first === nothing ? [] : [first, ...more].map((line) => `${below}${line}`))];
  });
  return ended(lines);
}

function cellsOf(columns: readonly string[], rows: readonly (readonly Cell[])[]): string[][] {
  return [columns.map((name) => name.toUpperCase()), ...rows.map((row) => row.map(show))];
}

/** All lines of one length. */
function laidOut(cells: readonly (readonly string[])[]): string[] {
  const widths = (cells[0] ?? []).map((_, i) => cells.reduce((most, row) => Math.max(most, row[i]?.length ?? 0), 0));
  return cells.map((row) => row.map((cell, i) => cell.padEnd(widths[i] ?? 0)).join("  "));
}

function ended(lines: readonly string[]): string {
  return lines.map((line) => `${line.trimEnd()}\n`).join("");
}

/** In lines of whole words: a digest that is longer than a line stays whole, for whoever copies it. */
function broken(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const word of text.split(" ")) {
    const line = lines.at(-1);
    if (line === undefined || lengthOf(line) + 1 + lengthOf(word) > width) lines.push(word);
    else lines[lines.length - 1] = `${line} ${word}`;
  }
  return lines;
}

function lengthOf(text: string): number {
  return [...text].length;
}

/** One cell as text: a dash where there is nothing. Cells hold what devices sent. */
export function show(cell: Cell): string {
  if (cell === null) return nothing;
  if (typeof cell === "number" && !Number.isInteger(cell)) return String(Number(cell.toPrecision(6)));
  return printableLine(String(cell));
}
