/**
 * The mean of values without known bounds (a business metric) with an interval that may be looked at again and again.
 * Asymptotic confidence sequence of Waudby-Smith, Arbour, Sinha, Kennedy & Ramdas, "Time-uniform central limit theory and
 * asymptotic confidence sequences" (Ann. Statist. 2024), Theorem 2.2: mean ± σ̂·√(2(nρ²+1)/(n²ρ²)·ln(√(nρ²+1)/α)), ρ tightest
 * near n = 200. Like a t-interval it leans on the central limit theorem, so below 30 values none is told.
 */
const tightestAt = 200;
const fewestForInterval = 30;

/** Welford's sums: exact in one pass. */
export interface MeanState {
  readonly n: number;
  readonly mean: number;
  /** Σ(x − mean)². */
  readonly squares: number;
}
export const noMean: MeanState = { n: 0, mean: 0, squares: 0 };

export function observeValue({ n, mean, squares }: MeanState, value: number): MeanState {
  const next = mean + (value - mean) / (n + 1);
  return { n: n + 1, mean: next, squares: squares + (value - mean) * (value - next) };
}

/** @returns null where there are too few values to tell. */
export function meanInterval({ n, mean, squares }: MeanState, alpha: number): { low: number; high: number } | null {
  if (n < fewestForInterval) return null;
  const margin = Math.sqrt(squares / n / n) * anytimeFactor(n, alpha);
  return { low: mean - margin, high: mean + margin };
}

/**
 * Of how many standard errors the interval is: what 1.96 is to one look at 5 %.
 * @param n values behind the standard error; need not be whole.
 */
export function anytimeFactor(n: number, alpha: number): number {
  const rho2 = (-2 * Math.log(alpha) + Math.log(-2 * Math.log(alpha)) + 1) / tightestAt;
  const grown = n * rho2 + 1;
  return Math.sqrt(((2 * grown) / (n * rho2)) * Math.log(Math.sqrt(grown) / alpha));
}

/** Of all values together (Chan, Golub & LeVeque 1979). */
export function addMeans(a: MeanState, b: MeanState): MeanState {
  const n = a.n + b.n;
  if (n === 0) return a;
  const apart = b.mean - a.mean;
  return { n, mean: a.mean + (apart * b.n) / n, squares: a.squares + b.squares + (apart * apart * a.n * b.n) / n };
}
