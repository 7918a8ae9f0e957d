import { expect, test } from "vitest";
import { summaryInterval } from "./summary-interval.ts";

test("a summary's interval is Chernoff's: closed where nothing or everything was wrong", () => {
  expect(summaryInterval(50, 0, 0.1).high).toBeCloseTo(1 - 0.05 ** (1 / 50), 9);
  expect(summaryInterval(50, 1, 0.1).low).toBeCloseTo(0.05 ** (1 / 50), 9);
  const { low, high } = summaryInterval(900, 0.2, 0.05);
  expect(low).toBeGreaterThan(0.16);
  expect(high).toBeLessThan(0.24);
});
