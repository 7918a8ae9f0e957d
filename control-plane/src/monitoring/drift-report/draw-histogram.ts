/** Bars that people can read, from the kernels' bins: equally wide for a number, one each for a category. Pure. */
import type { BinCounts, ReferenceBins } from "@vedette/wasm-kernels/histograms";
import type { DriftHistogram, HistogramBar } from "./drift-document.ts";

/** Bars of a number between its outermost edges; one more at either end holds what lies beyond. */
const inner = 20;
/** Categories that have a bar each; the others share one. */
const mostCategories = 12;

/**
 * @param current counts of the live rows on the same bins.
 * @param categories texts of a category's codes, where they are known.
 */
export function drawHistogram(
  { feature, edges, counts }: ReferenceBins,
  current: BinCounts,
  categories: readonly string[] = [],
): DriftHistogram {
  const bars =
    feature.kind === "number"
      ? numberBars(edges, counts, current)
      : codeBars(feature.known, categories, counts, current);
  const missing = ({ bins, missing: n }: BinCounts) => (n === 0 ? 0 : n / (sum(bins) + n));
  return { bars, missing: { reference: missing(counts), current: missing(current) } };
}

function numberBars(edges: Float32Array | null, reference: BinCounts, current: BinCounts): HistogramBar[] {
  const finite = (edges ?? new Float32Array()).filter(Number.isFinite);
  const [low, high] = [finite[0], finite.at(-1)];
  if (low === undefined || high === undefined) return [];
  const width = (high - low) / inner;
  // A constant: its own bin is as wide as the step to the next number.
  const one = width < Math.abs(low) * 1e-6 || width < 1e-40;
  const places = one ? 1 : inner;
  const spread = (counts: BinCounts): Float64Array => {
    const shares = new Float64Array(places + 2);
    const total = sum(counts.bins) || 1;
    for (const [bin, count] of counts.bins.entries()) {
      if (count === 0) continue;
      const [from, to] = [bin === 0 ? Number.NEGATIVE_INFINITY : finite[bin - 1], finite[bin]];
      if (bin === 0) add(shares, 0, count / total);
      else if (from === undefined || to === undefined) add(shares, places + 1, count / total);
      else if (one) add(shares, 1, count / total);
      else spreadEvenly(shares, (from - low) / width, (to - low) / width, count / total);
    }
    return shares;
  };
  const [before, now] = [spread(reference), spread(current)];
  return Array.from(before, (share, i) => {
    const label =
      i === 0
        ? `below ${short(low)}`
        : i === places + 1
          ? `from ${short(high)}`
          : one
            ? short(low)
            : `${short(low + (i - 1) * width)} to ${short(low + i * width)}`;
    return { label, reference: share, current: now[i] ?? 0 };
  });
}

/** Shares out the mass of a bin over the bars it covers, as if it were the same everywhere within. Places from 0. */
function spreadEvenly(shares: Float64Array, from: number, to: number, mass: number): void {
  const last = inner - 1;
  const [first, end] = [Math.min(last, Math.floor(from)), Math.min(last, Math.ceil(to) - 1)];
  if (end <= first) {
    add(shares, first + 1, mass);
    return;
  }
  for (let place = first; place <= end; place++) {
    const part = Math.min(to, place + 1) - Math.max(from, place);
    add(shares, place + 1, (mass * part) / (to - from));
  }
}

function codeBars(known: number, texts: readonly string[], reference: BinCounts, current: BinCounts): HistogramBar[] {
  const [m, n] = [sum(reference.bins) || 1, sum(current.bins) || 1];
  const share = (counts: BinCounts, from: number, to: number) => sum(counts.bins.subarray(from, to));
  const bar = (label: string, from: number, to: number): HistogramBar => ({
    label,
    reference: share(reference, from, to) / m,
    current: share(current, from, to) / n,
  });
  const shown = Math.min(known, mostCategories);
  const bars = Array.from({ length: shown }, (_, code) => bar(texts[code] ?? `category ${code}`, code + 1, code + 2));
  const others = bar(known > shown ? `${known - shown} more and other` : "other", shown + 1, known + 2);
  const above = bar("never seen before", known + 2, reference.bins.length);
  const below = bar("", 0, 1);
  const unseen = { ...above, reference: above.reference + below.reference, current: above.current + below.current };
  return [...bars, ...[others, unseen].filter((one) => one.reference + one.current > 0)];
}

function add(shares: Float64Array, place: number, mass: number): void {
  shares[place] = (shares[place] ?? 0) + mass;
}

function sum(numbers: Float64Array): number {
  return numbers.reduce((total, number) => total + number, 0);
}

/** Three digits that tell neighbours apart. */
function short(value: number): string {
  return String(Number(value.toPrecision(3)));
}
