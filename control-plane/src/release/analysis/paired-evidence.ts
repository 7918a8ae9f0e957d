/**
 * What is known of a candidate beside its incumbent: sums over pairs of answers to the same inputs, whichever of the two
 * answered. Additive, so parcels may be added in any order and devices' differences cancel out. Pure.
 */
import type { PairCounts } from "@vedette/protocol/shadow";
import type { Differences } from "../../statistics/anytime-interval.ts";

/** Answer times by bin of `latencyBin`. */
export type Histogram = ReadonlyMap<number, number>;

export interface PairedEvidence {
  /** Rows that both were asked, and rows of the same devices that only one was. */
  readonly rows: number;
  readonly skipped: number;
  /** Rows where only the one's answer would stand, and where both do. */
  readonly onlyCandidateFit: number;
  readonly onlyIncumbentFit: number;
  readonly bothFit: number;
  readonly agreed: number;
  /** Incumbent's confidence minus the candidate's, where both stand: more is worse for the candidate. */
  readonly confidence: Differences;
  readonly latency: { readonly candidate: Histogram; readonly incumbent: Histogram };
}

export const noPairs: PairedEvidence = {
  rows: 0,
  skipped: 0,
  onlyCandidateFit: 0,
  onlyIncumbentFit: 0,
  bothFit: 0,
  agreed: 0,
  confidence: { n: 0, sum: 0, squares: 0 },
  latency: { candidate: new Map(), incumbent: new Map() },
};

/** @param answering who answered the rows of `counts`; the other was asked beside it. */
export function addPairs(to: PairedEvidence, counts: PairCounts, answering: "candidate" | "incumbent"): PairedEvidence {
  const [both, onlyAnswering, onlyBeside] = counts.fit;
  const candidateAnswers = answering === "candidate";
  const { n = 0, sum = 0, sumSquares = 0 } = counts.confidence ?? {};
  const { confidence, latency } = to;
  const mine = candidateAnswers ? counts.latency.answering : counts.latency.beside;
  const theirs = candidateAnswers ? counts.latency.beside : counts.latency.answering;
  return {
    rows: to.rows + counts.rows,
    skipped: to.skipped + counts.skipped,
    onlyCandidateFit: to.onlyCandidateFit + (candidateAnswers ? onlyAnswering : onlyBeside),
    onlyIncumbentFit: to.onlyIncumbentFit + (candidateAnswers ? onlyBeside : onlyAnswering),
    bothFit: to.bothFit + both,
    agreed: to.agreed + counts.agreed,
    confidence: {
      n: confidence.n + n,
      // A parcel has the other's minus the answering one's.
      sum: confidence.sum + (candidateAnswers ? sum : -sum),
      squares: confidence.squares + sumSquares,
    },
    latency: { candidate: plus(latency.candidate, mine), incumbent: plus(latency.incumbent, theirs) },
  };
}

/** Of both together. */
export function plusPairs(a: PairedEvidence, b: PairedEvidence): PairedEvidence {
  return {
    rows: a.rows + b.rows,
    skipped: a.skipped + b.skipped,
    onlyCandidateFit: a.onlyCandidateFit + b.onlyCandidateFit,
    onlyIncumbentFit: a.onlyIncumbentFit + b.onlyIncumbentFit,
    bothFit: a.bothFit + b.bothFit,
    agreed: a.agreed + b.agreed,
    confidence: {
      n: a.confidence.n + b.confidence.n,
      sum: a.confidence.sum + b.confidence.sum,
      squares: a.confidence.squares + b.confidence.squares,
    },
    latency: {
      candidate: plus(a.latency.candidate, b.latency.candidate),
      incumbent: plus(a.latency.incumbent, b.latency.incumbent),
    },
  };
}

/** The same evidence so many times over. @param runTimes of the answer times, of which there is one a run. */
export function scaledPairs(pairs: PairedEvidence, times: number, runTimes = times): PairedEvidence {
  const histogram = (counts: Histogram): Histogram => new Map([...counts].map(([bin, n]) => [bin, n * runTimes]));
  const { confidence, latency } = pairs;
  return {
    rows: pairs.rows * times,
    skipped: pairs.skipped * times,
    onlyCandidateFit: pairs.onlyCandidateFit * times,
    onlyIncumbentFit: pairs.onlyIncumbentFit * times,
    bothFit: pairs.bothFit * times,
    agreed: pairs.agreed * times,
    confidence: { n: confidence.n * times, sum: confidence.sum * times, squares: confidence.squares * times },
    latency: { candidate: histogram(latency.candidate), incumbent: histogram(latency.incumbent) },
  };
}

function plus(to: Histogram, counts: Iterable<readonly [bin: number, count: number]>): Histogram {
  const sum = new Map(to);
  for (const [bin, count] of counts) sum.set(bin, (sum.get(bin) ?? 0) + count);
  return sum;
}
