/** One rollout's evidence, hour by hour: labelled pairs of answers, drawn from what is true of a cell. */
import type { Draw } from "../verdicts/normal.ts";
import { type Cell, margin } from "./cells.ts";

/** Labelled pairs of one hour. */
export interface Hour {
  readonly pairs: number;
  readonly onlyCandidateRight: number;
  readonly onlyIncumbentRight: number;
}

/** The two disagree so often, with only the one right, in either direction. */
const disagree = 0.05;
const kinds = 5;

/** @returns what a number of devices show in an hour. Devices come in five kinds, in which uneven ones differ. */
export function createSource(cell: Cell, draw: Draw): (devices: number) => Hour {
  const effect = cell.effect * margin;
  const present = Math.min(kinds, cell.devices);
  const shares = cell.uneven ? [0.2, 0.5, 0.8, 1.5, 2] : [1, 1, 1, 1, 1];
  const effects = cell.uneven ? [0, 0, 0.5, 1.5, 3] : [1, 1, 1, 1, 1];
  // Of all devices together the effect is what the cell says.
  const average = effects.slice(0, present).reduce((sum, one) => sum + one, 0) / present;
  const of = shares.map((share, kind) => ({
    better: disagree * share,
    worse: disagree * share + (effect * (effects[kind] ?? 1)) / average,
  }));
  const online = 1 - cell.offline;
  /** In the order in which cohorts take them. Each kind has its fifth of the fleet; a fleet of three has three of them. */
  const fleet = shuffled(
    Array.from({ length: cell.devices }, (_, i) => i % kinds),
    draw,
  );
  return (devices) => {
    let [pairs, onlyCandidateRight, onlyIncumbentRight] = [0, 0, 0];
    for (const [kind, { better, worse }] of of.entries()) {
      let mine = 0;
      for (let i = 0; i < devices; i++) if (fleet[i] === kind) mine++;
      const n = poisson(mine * online * cell.traffic, draw);
      const right = Math.min(n, poisson(n * better, draw));
      pairs += n;
      onlyCandidateRight += right;
      onlyIncumbentRight += Math.min(n - right, poisson(n * worse, draw));
    }
    return { pairs, onlyCandidateRight, onlyIncumbentRight };
  };
}

/** Durstenfeld's shuffle. */
function shuffled(items: number[], draw: Draw): number[] {
  for (let i = items.length - 1; i > 0; i--) {
    const j = Math.floor(draw.uniform() * (i + 1));
    [items[i], items[j]] = [items[j] as number, items[i] as number];
  }
  return items;
}

/** Knuth's product for small means, the normal with a half for large ones. */
function poisson(mean: number, draw: Draw): number {
  if (mean > 30) return Math.max(0, Math.round(mean + Math.sqrt(mean) * draw.normal()));
  const end = Math.exp(-mean);
  let product = draw.uniform();
  let n = 0;
  while (product > end) {
    product *= draw.uniform();
    n++;
  }
  return n;
}
