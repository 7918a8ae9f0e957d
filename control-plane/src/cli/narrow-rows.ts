/** Predictions as a terminal of 120 columns shows them: what is asked most, the rest by name only. Pure. */
import { show } from "./table.ts";

type Cell = string | number | boolean | null;
interface Rows {
  readonly columns: readonly string[];
  readonly rows: readonly (readonly Cell[])[];
}

const width = 120;
/** In this order; then the inputs, in the model's own. */
const first = ["id", "time", "version", "source", "reason", "confidence", "label", "value"];
const isInput = (column: string) => column.startsWith("in_");

/** The columns that fit, without those that say nothing; `hidden` names what is left out and says something. */
export function narrow({ columns, rows }: Rows): Rows & { readonly hidden: readonly string[] } {
  const says = columns.filter((_, i) => rows.some((row) => row[i] !== null));
  const order = [
    ...first.filter((name) => says.includes(name)),
    ...says.filter(isInput),
    ...says.filter((name) => name === "digest"),
  ];
  const shorten = (name: string): Cell[] => {
    const at = columns.indexOf(name);
    return rows.map((row) => short(name, row[at] ?? null));
  };
  const shown: { name: string; cells: Cell[] }[] = [];
  let used = -2;
  for (const name of order) {
    const cells = shorten(name);
    const wide = Math.max(name.length, ...cells.map((cell) => show(cell).length)) + 2;
    // The first ones are shown even where they do not fit: without them a row says nothing.
    if (used + wide > width && !first.includes(name)) break;
    used += wide;
    shown.push({ name, cells });
  }
  return {
    columns: shown.map(({ name }) => name),
    rows: rows.map((_, i) => shown.map(({ cells }) => cells[i] ?? null)),
    hidden: says.filter((name) => !shown.some((one) => one.name === name)),
  };
}

function short(column: string, cell: Cell): Cell {
  if (typeof cell === "number") return Number.isInteger(cell) ? cell : Number(cell.toPrecision(4));
  if (typeof cell !== "string") return cell;
  if (column === "digest") return cell.slice(0, 8);
  return column === "time" ? cell.slice(0, 19).replace("T", " ") : cell;
}
