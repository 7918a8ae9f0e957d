/** Rows for people: columns as wide as they need to be, nothing else. Pure. */
import { printableLine } from "../printable.ts";

type Cell = string | number | boolean | null;

export function table(columns: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const cells = rows.map((row) => row.map(show));
  const widths = columns.map((name, i) => Math.max(name.length, ...cells.map((row) => row[i]?.length ?? 0)));
  const line = (row: readonly string[]): string =>
    row
      .map((cell, i) => cell.padEnd(widths[i] ?? 0))
      .join("  ")
      .trimEnd();
  return `${[columns.map((name) => name.toUpperCase()), ...cells].map(line).join("\n")}\n`;
}

/** One cell as text: a dash where there is nothing. Cells hold what devices sent. */
export function show(cell: Cell): string {
  if (cell === null) return "-";
  if (typeof cell === "number" && !Number.isInteger(cell)) return String(Number(cell.toPrecision(6)));
  return printableLine(String(cell));
}
