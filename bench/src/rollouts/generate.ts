/** What is true of a cell, and evidence drawn from it: labelled pairs of answers. */
import type { Draw } from "../verdicts/normal.ts";
import { type Cell, margin } from "./cells.ts";

/** Labelled pairs, as sums. */
export interface Hour {
  readonly pairs: number;
  readonly onlyCandidateRight: number;
  readonly onlyIncumbentRight: number;
}

/** The two disagree so often, with only the one right, in either direction. */
const disagree = 0.05;
const kinds = 5;
export const noHour: Hour = { pairs: 0, onlyCandidateRight: 0, onlyIncumbentRight: 0 };

export function plus(a: Hour, b: Hour): Hour {
  return {
    pairs: a.pairs + b.pairs,
    onlyCandidateRight: a.onlyCandidateRight + b.onlyCandidateRight,
    onlyIncumbentRight: a.onlyIncumbentRight + b.onlyIncumbentRight,
  };
}

/** What is true of the devices of one kind: how often only the one version is right. */
interface Truth {
  readonly better: number;
  readonly worse: number;
}

/** @returns by kind. Devices come in five kinds, in which uneven ones differ; of all together the effect is what the cell says. */
export function truthOf(cell: Cell): Truth[] {
  const effect = cell.effect * margin;
  const present = Math.min(kinds, cell.devices);
  const shares = cell.uneven ? [0.2, 0.5, 0.8, 1.5, 2] : [1, 1, 1, 1, 1];
  const effects = cell.uneven ? [0, 0, 0.5, 1.5, 3] : [1, 1, 1, 1, 1];
  const average = effects.slice(0, present).reduce((sum, one) => sum + one, 0) / present;
  return shares.map((share, kind) => ({
    better: disagree * share,
    worse: disagree * share + (effect * (effects[kind] ?? 1)) / average,
  }));
}

/** @returns the kind of each device, in a drawn order. Each kind has its fifth of the fleet; a fleet of three has three of them. */
export function kindsOf(devices: number, draw: Draw): number[] {
  return shuffled(
    Array.from({ length: devices }, (_, i) => i % kinds),
    draw,
  );
}

/** @param asked by kind, predictions that are to be expected. @returns what came of them. */
export function drawPairs(truth: readonly Truth[], asked: readonly number[], draw: Draw): Hour {
  let [pairs, onlyCandidateRight, onlyIncumbentRight] = [0, 0, 0];
  for (const [kind, { better, worse }] of truth.entries()) {
    const n = poisson(asked[kind] ?? 0, draw);
    const right = Math.min(n, poisson(n * better, draw));
    pairs += n;
    onlyCandidateRight += right;
    onlyIncumbentRight += Math.min(n - right, poisson(n * worse, draw));
  }
  return { pairs, onlyCandidateRight, onlyIncumbentRight };
}

/** @returns what a number of devices show in an hour; the first of an order that is drawn once. */
export function createSource(cell: Cell, draw: Draw): (devices: number) => Hour {
  const truth = truthOf(cell);
  const fleet = kindsOf(cell.devices, draw);
  const each = (1 - cell.offline) * cell.traffic;
  return (devices) => {
    const asked = truth.map(() => 0);
    for (const kind of fleet.slice(0, devices)) asked[kind] = (asked[kind] ?? 0) + each;
    return drawPairs(truth, asked, draw);
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
