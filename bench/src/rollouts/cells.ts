/** What rollouts are tried on: fleets, traffic and versions, by main effects around a usual one, and crossed. */

export interface Cell {
  readonly devices: number;
  /** Predictions an hour and device. */
  readonly traffic: number;
  /** True loss of accuracy of the candidate, in margins: 0 none, 1 the least that matters, 5 large. */
  readonly effect: number;
  /** Whether devices differ: how often the two disagree is from a fifth to twice as much, and some get all of the effect. */
  readonly uneven: boolean;
  /** Hours until a prediction is labelled. */
  readonly labelDelay: number;
  /** Share of the devices that are not there. */
  readonly offline: number;
}

export const margin = 0.03;
const usual: Cell = { devices: 20, traffic: 60, effect: 0, uneven: false, labelDelay: 0, offline: 0 };
const effects = [0, 1, 5];

/** Each thing alone, at each effect; then twenty in which several differ at once. */
export function cellsOf(): Cell[] {
  const alone: Partial<Cell>[] = [
    {},
    { devices: 3 },
    { devices: 200 },
    { devices: 2000 },
    { traffic: 6 },
    { traffic: 600 },
    { uneven: true },
    { labelDelay: 24 },
    { offline: 0.3 },
  ];
  const crossed: Partial<Cell>[] = [
    { devices: 3, traffic: 6 },
    { devices: 3, traffic: 600, uneven: true },
    { devices: 3, uneven: true, labelDelay: 24 },
    { devices: 200, traffic: 6, uneven: true, offline: 0.3 },
    { devices: 200, traffic: 600, labelDelay: 24 },
    { devices: 2000, traffic: 6, uneven: true },
    { devices: 2000, traffic: 600, uneven: true, labelDelay: 24, offline: 0.3 },
  ];
  const all = [...alone, ...crossed].flatMap((over) => effects.map((effect) => ({ ...usual, ...over, effect })));
  return all.slice(0, alone.length * effects.length + 20);
}

export function nameOf({ devices, traffic, effect, uneven, labelDelay, offline }: Cell): string {
  const more = [
    ...(uneven ? ["uneven"] : []),
    ...(labelDelay > 0 ? [`labels ${labelDelay} h late`] : []),
    ...(offline > 0 ? [`${100 * offline} % offline`] : []),
  ];
  return [`${devices} devices`, `${traffic}/h`, `effect ${effect}`, ...more].join(", ");
}
