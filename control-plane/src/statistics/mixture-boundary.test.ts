import fc from "fast-check";
import { expect, test } from "vitest";
import { mixtureBoundary, mixtureOf, psiExponential } from "./mixture-boundary.ts";

test("[U1] a mixture of one bet is the closed form: a line in the variance", () => {
  for (const lambda of [0.01, 0.2, 0.9]) {
    for (const v of [0, 1, 80, 1e5]) {
      const line = (Math.log(1 / 0.05) + psiExponential(lambda) * v) / lambda;
      expect(mixtureBoundary(v, 0.05, mixtureOf([{ lambda, weight: 1 }]))).toBeCloseTo(line, 8);
    }
  }
});

test("[U1] at the boundary the mixture is worth 1/α, and it grows with variance and with confidence", () => {
  fc.assert(
    fc.property(
      fc.double({ min: 0, max: 1e6, noNaN: true }),
      fc.double({ min: 1e-6, max: 0.5, noNaN: true }),
      (v, a) => {
        const bets = mixtureOf([0.5, 0.1, 0.02].map((lambda) => ({ lambda, weight: 1 })));
        const s = mixtureBoundary(v, a, bets);
        const worth = bets.reduce((sum, { lambda }) => sum + Math.exp(lambda * s - psiExponential(lambda) * v) / 3, 0);
        expect(Math.log(worth)).toBeCloseTo(Math.log(1 / a), 6);
        expect(mixtureBoundary(v + 1, a, bets)).toBeGreaterThanOrEqual(s);
        expect(mixtureBoundary(v, a / 2, bets)).toBeGreaterThan(s);
      },
    ),
    { numRuns: 200, seed: 4 },
  );
});

/** Howard et al. 2021, equation 10 with η = 2, s = 1.4, m = 1, for a sub-gamma process of scale 1. */
function stitched(v: number, alpha: number): number {
  const [eta, s, zeta] = [2, 1.4, 3.105_547];
  const l = s * Math.log(Math.log2(Math.max(v, 1)) + 1) + Math.log(zeta / alpha);
  const k1 = (eta ** 0.25 + eta ** -0.25) / Math.SQRT2;
  const k2 = (Math.sqrt(eta) + 1) / 2;
  return Math.sqrt(k1 ** 2 * v * l + k2 ** 2 * l ** 2) + k2 * l;
}

test("[U1] it stays below the stitched boundary's closed form, and above what one fixed moment would need", () => {
  for (const alpha of [0.1, 0.025, 1e-3]) {
    for (let v = 10; v <= 1e7; v *= 1.5) {
      const s = mixtureBoundary(v, alpha);
      expect(s).toBeLessThan(stitched(v, alpha));
      expect(s).toBeGreaterThan(Math.sqrt(2 * v * Math.log(1 / alpha)));
    }
  }
});
