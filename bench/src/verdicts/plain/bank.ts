/**
 * The bank of e-detectors in plain JavaScript, from the formulas: M ← (M+1)·T[bin] for every feature and bet, and the mean of all
 * is an e-detector (Shin, Ramdas & Rinaldo, E-detectors, 2023): it passes A in less than A rows on average only if something changed.
 */
import { binOf, coarseBins, column, countsOf, edgesOf } from "./histogram.ts";

const strengths = [0.05, 0.12, 0.3, 0.7];
const eta = 0.05;
/** Bets on one feature: 3 shapes × 4 strengths × 2 signs, and one spike a bin. */
const betCount = 3 * strengths.length * 2 + coarseBins;
/** How often a finite reference may mislead the bank by more than the tolerance. */
const misled = 0.05;

export interface Bank {
  /** Takes one row. */
  step(row: Float32Array): void;
  /** ln of the mean over features and bets. */
  logE(): number;
}

/** @param reference row-major training rows of `width` features, without ties. */
export function bankOf(reference: Float32Array, width: number): Bank {
  const m = reference.length / width;
  const tolerance = Math.sqrt((2 * Math.log((2 * betCount * width) / misled)) / m);
  const edges: Float32Array[] = [];
  const table = new Float64Array(width * coarseBins * betCount);
  for (let f = 0; f < width; f++) {
    const values = column(reference, width, f);
    edges.push(edgesOf(values, coarseBins));
    const p = Array.from(countsOf(edges[f]!, values), (count) => (count + 0.5) / (m + coarseBins / 2));
    for (const [k, bet] of betsOn(p, tolerance).entries()) {
      for (const [j, factor] of bet.entries()) table[(f * coarseBins + j) * betCount + k] = factor;
    }
  }
  const evidence = new Float64Array(width * betCount);
  return {
    step(row) {
      for (let f = 0; f < width; f++) {
        const factors = (f * coarseBins + binOf(edges[f]!, row[f]!)) * betCount;
        const own = f * betCount;
        for (let k = 0; k < betCount; k++) evidence[own + k] = (evidence[own + k]! + 1) * table[factors + k]!;
      }
    },
    logE() {
      let sum = 0;
      for (const value of evidence) sum += value;
      return Math.log(sum / evidence.length);
    },
  };
}

/** The factors T[bet][bin] of one feature whose bins have the probabilities `p`: each bet's mean under p is at most 1. */
export function betsOn(p: readonly number[], tolerance: number): number[][] {
  const slopes = orthonormal(p).flatMap((h) => {
    const highest = Math.max(...h.map(Math.abs));
    return strengths.flatMap((strength) =>
      [1, -1].map((sign) => {
        const lambda = strength / highest;
        return h.map((value) => (1 + sign * lambda * value) / (1 + lambda * tolerance));
      }),
    );
  });
  const spikes = p.map((own, j) =>
    p.map((_, i) => (1 - eta + (i === j ? eta / own : 0)) / (1 + (eta * tolerance) / Math.sqrt(own))),
  );
  return [...slopes, ...spikes];
}

/** Polynomials of degree 1, 2, 3 in the bin's number, orthonormal under p and orthogonal to the constant (Gram–Schmidt). */
function orthonormal(p: readonly number[]): number[][] {
  const dot = (a: readonly number[], b: readonly number[]): number =>
    p.reduce((sum, pj, j) => sum + pj * a[j]! * b[j]!, 0);
  const total = p.reduce((sum, pj) => sum + pj, 0);
  const basis = [p.map(() => 1 / Math.sqrt(total))];
  for (const degree of [1, 2, 3]) {
    let h = p.map((_, j) => (j / (p.length - 1) - 0.5) ** degree);
    for (const earlier of basis) {
      const along = dot(h, earlier);
      h = h.map((value, j) => value - along * earlier[j]!);
    }
    const norm = Math.sqrt(dot(h, h));
    basis.push(h.map((value) => value / norm));
  }
  return basis.slice(1);
}
