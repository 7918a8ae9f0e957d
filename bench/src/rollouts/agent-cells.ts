/** What rollouts with real agent cores are tried on. */
import type { Cell } from "./cells.ts";

/** Wider than that of the generated cells: an agent lives through each prediction. */
export const agentMargin = 0.1;

const usual: Cell = { devices: 20, traffic: 60, effect: 0, uneven: false, labelDelay: 0, offline: 0 };

/** Each at no effect, at the least one that matters and at a large one; the largest fleet at none and a large one. */
export function agentCells(): Cell[] {
  const over: Partial<Cell>[] = [
    { devices: 3 },
    {},
    { devices: 3, traffic: 6 },
    { traffic: 6 },
    { devices: 3, traffic: 600 },
    { traffic: 600 },
    { devices: 3, uneven: true },
    { uneven: true },
    { offline: 0.3 },
    { labelDelay: 2 },
    { devices: 200 },
  ];
  const cells = over.flatMap((one) => [0, 1, 3].map((effect) => ({ ...usual, ...one, effect })));
  return [...cells, ...[0, 3].map((effect) => ({ ...usual, devices: 2000, traffic: 600, effect }))];
}
