import { expect, test } from "vitest";
import { logGamma } from "./log-gamma.ts";

test("is the logarithm of factorials, and of what lies between them", () => {
  let factorial = 1;
  for (let n = 1; n <= 20; factorial *= n++) expect(logGamma(n)).toBeCloseTo(Math.log(factorial), 12);
  expect(logGamma(0.5)).toBeCloseTo(Math.log(Math.PI) / 2, 12);
  // Γ(x + 1) = x Γ(x), also where counts of a large fleet come in.
  for (const x of [0.01, 3.7, 1e6 + 0.25]) expect(logGamma(x + 1) - logGamma(x)).toBeCloseTo(Math.log(x), 8);
});
