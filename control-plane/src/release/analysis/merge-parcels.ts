/** Parcels of one device and pair as one: all that they count is additive. Pure. */
import type { LatencyCounts, PairCounts, PairSums } from "@vedette/protocol/shadow";

/** What was counted in both, of the same answering version and the same one beside it. */
export function addCounts(a: PairCounts, b: PairCounts): PairCounts {
  const [both, onlyAnswering, onlyBeside, neither] = a.fit;
  return {
    rows: a.rows + b.rows,
    skipped: a.skipped + b.skipped,
    fit: [both + b.fit[0], onlyAnswering + b.fit[1], onlyBeside + b.fit[2], neither + b.fit[3]],
    agreed: a.agreed + b.agreed,
    table: addTables(a.table, b.table),
    value: addSums(a.value, b.value),
    confidence: addSums(a.confidence, b.confidence),
    latency: {
      answering: addHistograms(a.latency.answering, b.latency.answering),
      beside: addHistograms(a.latency.beside, b.latency.beside),
    },
  };
}

function addSums(a: PairSums | null, b: PairSums | null): PairSums | null {
  if (!a || !b) return a ?? b;
  return { n: a.n + b.n, sum: a.sum + b.sum, sumSquares: a.sumSquares + b.sumSquares };
}

function addTables(a: PairCounts["table"], b: PairCounts["table"]): PairCounts["table"] {
  const cells = new Map<string, [number, number, number]>();
  for (const [one, other, count] of [...a, ...b]) {
    const key = `${one} ${other}`;
    cells.set(key, [one, other, (cells.get(key)?.[2] ?? 0) + count]);
  }
  return [...cells.values()];
}

function addHistograms(a: LatencyCounts, b: LatencyCounts): LatencyCounts {
  const bins = new Map<number, number>();
  for (const [bin, count] of [...a, ...b]) bins.set(bin, (bins.get(bin) ?? 0) + count);
  return [...bins].sort(([one], [other]) => one - other);
}
