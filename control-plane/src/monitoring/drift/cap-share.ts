/** How much of a round one device may be: pure. A chatty device must not be the fleet's voice. */

/** A device counts for at most so many times what a typical one sent. */
const mostShare = 2;

interface Window {
  readonly agent: string;
  readonly rows: number;
}

/**
 * Which windows of a round are merged: of each device in order, while its rows are at most twice the median device's.
 * Windows are taken whole, since counts are merged exactly; where all devices send alike none is left out.
 */
export function capShare<T extends Window>(windows: readonly T[]): { merged: T[]; leftOut: T[] } {
  const rows = new Map<string, number>();
  for (const { agent, rows: more } of windows) rows.set(agent, (rows.get(agent) ?? 0) + more);
  const cap = mostShare * median([...rows.values()]);
  const taken = new Map<string, number>();
  const merged: T[] = [];
  const leftOut: T[] = [];
  for (const window of windows) {
    const sum = (taken.get(window.agent) ?? 0) + window.rows;
    if (sum > cap) {
      leftOut.push(window);
      continue;
    }
    taken.set(window.agent, sum);
    merged.push(window);
  }
  return { merged, leftOut };
}

/** Of two in the middle the mean. */
function median(values: readonly number[]): number {
  const sorted = values.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  return ((sorted[Math.ceil(half) - 1] ?? 0) + (sorted[Math.floor(half)] ?? 0)) / 2;
}
