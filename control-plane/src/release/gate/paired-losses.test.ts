import { expect, test } from "vitest";
import { judgeLosses, mcNemar } from "./paired-losses.ts";

/** Losses of two versions: rows both have right, only the candidate wrong, only the champion wrong. */
const pairs = (both: number, worse: number, better: number) => ({
  candidate: [...Array(both).fill(0), ...Array(worse).fill(1), ...Array(better).fill(0)],
  champion: [...Array(both).fill(0), ...Array(worse).fill(0), ...Array(better).fill(1)],
  championVersion: 1,
});

test("[K27] the exact McNemar test is the upper tail of a fair coin", () => {
  // By hand: 1/32, 6/32, and the whole; 1,082 of 2,048 = half and half the middle term.
  expect(mcNemar(5, 0)).toBeCloseTo(1 / 32, 12);
  expect(mcNemar(4, 1)).toBeCloseTo(6 / 32, 12);
  expect(mcNemar(0, 7)).toBeCloseTo(1, 12);
  expect(mcNemar(0, 0)).toBe(1);
  expect(mcNemar(2000, 2000)).toBeGreaterThan(0.5);
  expect(mcNemar(2000, 2000)).toBeLessThan(0.51);
});

test("[K27] a version shown to be worse by the margin fails; what is not shown, or too small to matter, is said and passes", () => {
  expect(judgeLosses(pairs(900, 70, 30))).toMatchObject({ passed: false, measured: 0.04, limit: 0.01 });
  expect(judgeLosses(pairs(900, 30, 70))).toMatchObject({ passed: true });
  expect(judgeLosses(pairs(16, 3, 1))).toMatchObject({ passed: true, why: expect.stringContaining("too few rows") });
  // Shown, and less than anybody would notice.
  expect(judgeLosses(pairs(19_900, 80, 20))).toMatchObject({ passed: true, measured: 0.003 });
  const same = judgeLosses(pairs(1000, 0, 0));
  expect(same).toMatchObject({ passed: true, measured: 0 });
  expect(same.why).not.toContain("too few");
});

test("[K27] errors of numbers are judged by their interval", () => {
  const losses = (by: number) => ({
    candidate: Array.from({ length: 2000 }, (_, row) => 0.1 + by + (row % 5) / 50),
    champion: Array.from({ length: 2000 }, (_, row) => 0.1 + (row % 7) / 50),
    championVersion: 3,
  });
  expect(judgeLosses(losses(0.2))).toMatchObject({ passed: false });
  expect(judgeLosses(losses(0.021))).toMatchObject({ why: expect.stringContaining("worse by") });
  expect(judgeLosses(losses(-0.1))).toMatchObject({ passed: true });
});
