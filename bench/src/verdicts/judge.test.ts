import fc from "fast-check";
import { expect, test } from "vitest";
import { chi2Tail } from "./chi2.ts";
import { alarmAt, RecordKeeper } from "./detector.ts";
import { binomialCdf, bootstrapMedian, clopperPearson } from "./intervals.ts";
import { delaysOf, falseAlarmsOf, matchedThreshold, type Run, shareAt, tooMany } from "./judge.ts";

// R: binom.test(3, 20)$conf.int and (0, 200); scipy.stats.chi2.sf.
test("intervals and tails as others compute them", () => {
  const few = clopperPearson(3, 20);
  expect([few.low, few.high]).toEqual([expect.closeTo(0.03207094, 7), expect.closeTo(0.3789268, 6)]);
  expect(clopperPearson(0, 200)).toEqual({ low: 0, high: expect.closeTo(1 - 0.025 ** (1 / 200), 10) });
  expect(clopperPearson(200, 200).low).toBeCloseTo(0.025 ** (1 / 200), 10);
  expect(chi2Tail(3.0857142857142854, 2)).toBeCloseTo(0.2137694582, 9);
  expect(chi2Tail(24.99579013972863, 15)).toBeCloseTo(0.05, 12);
  expect(chi2Tail(37.69729821835383, 15)).toBeCloseTo(0.001, 12);
  expect(chi2Tail(5, 15)).toBeCloseTo(0.9921, 4);
});

test("a share lies in its interval, and the interval's ends have the tail that they promise", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 300 }), fc.nat(), (n, some) => {
      const hits = some % (n + 1);
      const { low, high } = clopperPearson(hits, n);
      expect(low).toBeLessThanOrEqual(hits / n);
      expect(high).toBeGreaterThanOrEqual(hits / n);
      if (hits < n) expect(binomialCdf(hits, n, high)).toBeCloseTo(0.025, 6);
      if (hits > 0) expect(1 - binomialCdf(hits - 1, n, low)).toBeCloseTo(0.025, 6);
    }),
  );
});

test("the interval of a median holds it, and never counts as the highest", () => {
  const values = Array.from({ length: 101 }, (_, i) => i);
  const { low, high } = bootstrapMedian(values);
  expect(low).toBeGreaterThan(30);
  expect(low).toBeLessThan(50);
  expect(high).toBeGreaterThan(50);
  expect(high).toBeLessThan(70);
  const never = Number.POSITIVE_INFINITY;
  expect(bootstrapMedian([1, never, 2, never, never])).toEqual({ low: 1, high: never });
  expect(bootstrapMedian([])).toEqual({ low: Number.NaN, high: Number.NaN });
});

const runs = (...highest: number[]): Run[] =>
  highest.map((score, i) => ({ change: null, records: [[100 + i, score]] }));

test("records rise, and tell the alarm at any threshold", () => {
  const keeper = new RecordKeeper(0);
  for (const [row, score] of [
    [1, -1],
    [2, 1],
    [3, 1],
    [4, 0.5],
    [5, 2],
  ] as const)
    keeper.take(row, score);
  expect(keeper.records).toEqual([
    [2, 1],
    [5, 2],
  ]);
  expect([0.5, 1, 1.5, 3].map((threshold) => alarmAt(keeper.records, threshold))).toEqual([2, 2, 5, null]);
});

test("false alarms are counted by stream, and are too many where their interval lies above nominal", () => {
  const found = falseAlarmsOf(runs(1, 2, 3, 4), 3);
  expect(found).toMatchObject({ streams: 4, alarmed: 2, share: 0.5 });
  expect(tooMany(falseAlarmsOf(runs(...Array.from({ length: 200 }, () => 5)), 3), 1e4)).toBe(true);
  expect(tooMany(falseAlarmsOf(runs(...Array.from({ length: 200 }, (_, i) => (i < 173 ? 5 : 1))), 3), 1e4)).toBe(false);
  expect(shareAt(10_000, 20_000)).toBeCloseTo(0.8646647, 6);
});

test("a matched threshold lets at most the share through, and no lower one does", () => {
  fc.assert(
    fc.property(
      fc.array(fc.integer({ min: 0, max: 20 }), { minLength: 1, maxLength: 60 }),
      fc.double({ min: 0, max: 0.99, noNaN: true }),
      (scores, share) => {
        const all = runs(...scores);
        const threshold = matchedThreshold(all, share);
        const allowed = share * scores.length;
        expect(falseAlarmsOf(all, threshold).alarmed).toBeLessThanOrEqual(allowed);
        const lower = [...new Set(scores)].filter((score) => score < threshold).sort((a, b) => b - a)[0];
        if (lower !== undefined) expect(falseAlarmsOf(all, lower).alarmed).toBeGreaterThan(allowed);
      },
    ),
  );
});

test("a delay begins at the change; an alarm before it says nothing", () => {
  const at = (row: number): Run => ({ change: 1000, records: [[row, 1]] });
  expect(delaysOf([at(1000), at(1009), at(999), { change: 1000, records: [] }], 1)).toMatchObject({
    streams: 3,
    early: 1,
    missed: 1,
    median: 10,
  });
});
