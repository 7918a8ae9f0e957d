/** Intervals of what was counted, and of medians of what was measured. */
export interface Interval {
  readonly low: number;
  readonly high: number;
}

/**
 * The exact interval of a share by Clopper & Pearson (1934): the shares under which `hits` or more, and `hits` or fewer, of `n`
 * have at least half of `alpha` probability.
 */
export function clopperPearson(hits: number, n: number, alpha = 0.05): Interval {
  const tail = alpha / 2;
  const low = hits === 0 ? 0 : bisect((p) => 1 - binomialCdf(hits - 1, n, p) >= tail);
  const high = hits === n ? 1 : bisect((p) => binomialCdf(hits, n, p) <= tail);
  return { low, high };
}

/** P(X ≤ k) of a binomial, summed in logarithms: exact enough for thousands of trials. */
export function binomialCdf(k: number, n: number, p: number): number {
  if (k >= n || p <= 0) return 1;
  if (p >= 1) return 0;
  let term = n * Math.log1p(-p);
  let sum = Math.exp(term);
  for (let i = 1; i <= k; i++) {
    term += Math.log((n - i + 1) / i) + Math.log(p / (1 - p));
    sum += Math.exp(term);
  }
  return Math.min(1, sum);
}

/** Where in [0, 1] a condition begins to hold. */
function bisect(holds: (p: number) => boolean): number {
  let [low, high] = [0, 1];
  for (let i = 0; i < 60; i++) {
    const middle = (low + high) / 2;
    if (holds(middle)) high = middle;
    else low = middle;
  }
  return (low + high) / 2;
}

/**
 * Of the median: the middle 95 % of the medians of samples drawn again from the values (Efron's percentile bootstrap). Exact, as of
 * infinitely many samples: the median is at most the k-th value where more than half of a sample are, and how many are is binomial.
 */
export function bootstrapMedian(values: readonly number[]): Interval {
  const n = values.length;
  const sorted = [...values].sort((a, b) => a - b);
  const quantile = (share: number): number => {
    for (let k = 1; k <= n; k++) if (1 - binomialCdf(Math.floor(n / 2), n, k / n) >= share) return sorted[k - 1]!;
    return Number.NaN;
  };
  return { low: quantile(0.025), high: quantile(0.975) };
}
