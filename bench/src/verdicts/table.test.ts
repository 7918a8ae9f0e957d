import { expect, test } from "vitest";
import { cells, nullOf } from "./cells.ts";
import type { Run } from "./judge.ts";
import {
  falseAlarmRows,
  matchedDelays,
  matchedNulls,
  matchedShares,
  medianByChance,
  nominalDelays,
  type RunsOf,
  races,
  type Side,
  shiftCells,
} from "./table.ts";

const side = (name: string, ours: boolean): Side => ({
  title: name,
  ours,
  arl: 10_000,
  kind: { name, title: name, usesReference: true, threshold: () => 5 },
});
const sides = [side("ours", true), side("quick", false), side("loud", false)];
const repeated = (run: (i: number) => Run): Run[] => Array.from({ length: 200 }, (_, i) => run(i));

/** Ours takes 100 rows, the quick one 50 or 150, and the loud one alarms whether or not there is a change. */
const runsOf =
  (quickDelay: number): RunsOf =>
  (cell, detector) => {
    if (cell !== cells[0] && cell.name !== "null iid 10k" && cell !== shiftCells[0]) return [];
    const change = cell.shift ? 1000 : null;
    if (detector === "loud") return repeated(() => ({ change, records: [[2000, 9]] }));
    if (change === null) return repeated((i) => ({ change, records: [[3000, i / 100]] }));
    return repeated(() => ({ change, records: [[999 + (detector === "ours" ? 100 : quickDelay), 9]] }));
  };

test("a loud detector wins nothing at its own setting, and is compared where all alarm alike", () => {
  const nominal = nominalDelays(sides, runsOf(150));
  expect(nominal.entries[0]?.map((entry) => [entry?.median, entry?.loud])).toEqual([
    [100, false],
    [150, false],
    [1001, true],
  ]);
  expect(falseAlarmRows(sides, runsOf(150)).map(({ entries }) => entries[1]?.alarmed)).toEqual([0, 0, 200]);
  // A higher score than that of all its false alarms it never reaches.
  expect(matchedDelays(sides, runsOf(150), 0.1).entries[0]?.[2]?.median).toBe(Number.POSITIVE_INFINITY);
});

test("who was first, and nobody where no peer was run", () => {
  const outcomes = (quickDelay: number) =>
    races(nominalDelays(sides, runsOf(quickDelay)), 0.86).map(({ outcome }) => outcome);
  expect(outcomes(150)[0]).toBe("ours");
  expect(outcomes(50)[0]).toBe("peer");
  expect(new Set(outcomes(50).slice(1))).toEqual(new Set(["alone"]));
  expect(races(nominalDelays(sides.slice(0, 1), runsOf(50)), 0.86)[0]?.outcome).toBe("alone");
});

test("medians that chance may have put in this order are even, whichever is the smaller", () => {
  const spread: RunsOf = (cell, detector) => {
    if (cell !== shiftCells[0]) return runsOf(150)(cell, detector);
    const from = { ours: 100, quick: 104, loud: 5000 }[detector] ?? 0;
    return repeated((i) => ({ change: 1000, records: [[999 + from + (i % 50), 9]] }));
  };
  const outcome = (of: RunsOf) => races(nominalDelays(sides.slice(0, 2), of), 0.86)[0]?.outcome;
  expect(outcome(spread)).toBe("even");
  expect(outcome((cell, detector) => spread(cell, detector === "ours" ? "quick" : "ours"))).toBe("even");
});

test("what is no quicker than false alarms alone has noticed nothing", () => {
  // One alarm in 10,000 rows: a median of 10,000·ln 2.
  expect(medianByChance(1 - Math.exp(-2))).toBeCloseTo(6931.47, 2);
  const slow: RunsOf = (cell) => {
    if (cell.name !== "null iid 10k" && cell !== shiftCells[0]) return [];
    const change = cell.shift ? 1000 : null;
    return repeated(() => ({ change, records: [[9000, 9]] }));
  };
  expect(races(matchedDelays(sides, slow, 0.1), 0.1)[0]?.outcome).toBe("nobody");
  expect(races(nominalDelays(sides, runsOf(7000)), 0.86)[0]?.outcome).toBe("ours");
});

test("thresholds are matched for each kind of rows by itself", () => {
  const shares = matchedShares(sides, runsOf(150), 0.1);
  expect(shares.map(({ entries }) => entries[matchedNulls.indexOf(nullOf(shiftCells[0]!))]?.alarmed)).toEqual([
    20, 20, 0,
  ]);
});
