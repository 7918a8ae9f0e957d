/**
 * How far a sum may stray from its expectation, at every moment at once: the one boundary under all intervals here.
 *
 * Howard, Ramdas, McAuliffe & Sekhon, "Time-uniform, nonparametric, nonasymptotic confidence sequences" (Ann. Statist. 2021),
 * Theorem 4: for Xᵢ in [0, 1], predictable guesses X̂ᵢ, S = Σ(Xᵢ − E[Xᵢ | past]) and V = Σ(Xᵢ − X̂ᵢ)², each
 * exp(λS − ψ(λ)V) with ψ(λ) = −ln(1 − λ) − λ and 0 < λ < 1 is a supermartingale that starts at 1, and so is any mixture of them
 * (Robbins' method of mixtures). By Ville's inequality a mixture reaches 1/α with probability at most α, ever. Nothing is asked
 * of dependence, and the expectation may change with time: the bound is for its running mean.
 *
 * The mixture is of twenty λ, each 1/√2 of the one before it, weighted for variances from 10 to 10⁵ (fifty labels to some
 * hundred thousand): no special functions, and from 10 to 10⁷ it stays below the closed form of that paper's polynomial
 * stitching (the test beside this file says so).
 */
const strongestBet = 0.7;
const bets = 20;
/** Halvings of the strongest bet at which the weight is greatest, and how wide it falls off. */
const [middle, spread] = [2.5, 7];

interface Bet {
  /** Above 0, below 1. */
  readonly lambda: number;
  /** All of a mixture add up to 1. */
  readonly weight: number;
}
/** One with what does not change: the boundary is asked for thousands of times a look. */
interface PreparedBet {
  readonly lambda: number;
  readonly psi: number;
  readonly logWeight: number;
}

const defaultBets: readonly PreparedBet[] = mixtureOf(
  Array.from({ length: bets }, (_, k) => ({
    lambda: strongestBet / Math.SQRT2 ** k,
    weight: Math.exp(-((k / 2 - middle) ** 2) / (2 * spread)),
  })),
);

/** @param weighted each λ above 0, below 1; weights in any unit. */
export function mixtureOf(weighted: readonly Bet[]): PreparedBet[] {
  const total = weighted.reduce((sum, { weight }) => sum + weight, 0);
  return weighted.map(({ lambda, weight }) => {
    return { lambda, psi: psiExponential(lambda), logWeight: Math.log(weight / total) };
  });
}

/** ψ of the sub-exponential family of scale 1. @param lambda above 0, below 1. */
export function psiExponential(lambda: number): number {
  return -Math.log1p(-lambda) - lambda;
}

/**
 * The s at which the mixture is worth 1/α: a sum with this variance strays above it, at any time, with probability at most α.
 * @param v Σ(Xᵢ − X̂ᵢ)², at least 0. @param alpha one-sided, above 0, below 1.
 */
export function mixtureBoundary(v: number, alpha: number, mixture: readonly PreparedBet[] = defaultBets): number {
  const target = Math.log(1 / alpha);
  // Where one bet alone is worth it, their sum is worth at least that: from here Newton's steps come down, and never pass
  // the root, since the logarithm of the mixture grows and is convex.
  let s = Number.POSITIVE_INFINITY;
  for (const { lambda, psi, logWeight } of mixture) s = Math.min(s, (target - logWeight + psi * v) / lambda);
  for (let step = 0; step < 100; step++) {
    const { value, slope } = logMixture(s, v, mixture);
    const next = s - (value - target) / slope;
    if (!(s - next > 1e-12 * Math.max(1, s))) break;
    s = next;
  }
  return s;
}

/** ln Σ wₖ·exp(λₖs − ψ(λₖ)v) and its slope in s. */
function logMixture(s: number, v: number, mixture: readonly PreparedBet[]): { value: number; slope: number } {
  let most = Number.NEGATIVE_INFINITY;
  for (const { lambda, psi, logWeight } of mixture) most = Math.max(most, logWeight + lambda * s - psi * v);
  let sum = 0;
  let weighted = 0;
  for (const { lambda, psi, logWeight } of mixture) {
    const term = Math.exp(logWeight + lambda * s - psi * v - most);
    sum += term;
    weighted += term * lambda;
  }
  return { value: most + Math.log(sum), slope: weighted / sum };
}
