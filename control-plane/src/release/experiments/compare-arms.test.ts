import { expect, test } from "vitest";
import { normal, uniform } from "../../../test/uniform.ts";
import { addMeans, type MeanState, noMean, observeValue } from "../../statistics/mean-sequence.ts";
import { type Compared, compareArms, timesUntil } from "./compare-arms.ts";

interface Unit {
  readonly candidate: boolean;
  readonly own: number;
  values: MeanState;
}
/** An experiment that goes on and on: units that come, and values of those that are there. */
interface Stream {
  /** Units that are there from the beginning, and rounds; in each so many new ones. */
  readonly units: number;
  readonly rounds: number;
  readonly newcomers: number;
  /** How much units differ, beside values of one unit that differ by 1. */
  readonly between: number;
  readonly effect: number;
  readonly draw?: (random: () => number) => number;
}

/** Looks after every round; whether the interval ever left out the effect, and whether it ever left out 0. */
function run({ units, rounds, newcomers, between, effect, draw = normal }: Stream, seed: number) {
  const random = uniform(seed);
  const all: Unit[] = [];
  const join = () => {
    const candidate = all.length < units ? all.length % 2 === 0 : random() < 0.5;
    all.push({ candidate, own: between * draw(random), values: noMean });
  };
  for (let i = 0; i < units; i++) join();
  let [wrong, shown] = [false, false];
  for (let round = 0; round < rounds; round++) {
    for (let i = 0; i < newcomers; i++) join();
    for (const unit of all) {
      const value = unit.own + draw(random) + (unit.candidate ? effect : 0);
      unit.values = observeValue(unit.values, value);
    }
    const arm = (candidate: boolean) => {
      const of = all.filter((unit) => unit.candidate === candidate);
      return {
        means: of.reduce((sum, { values }) => observeValue(sum, values.mean), noMean),
        values: of.reduce((sum, { values }) => addMeans(sum, values), noMean),
      };
    };
    const found = compareArms(arm(true), arm(false), 0.05);
    if (!found) continue;
    wrong ||= found.low > effect || found.high < effect;
    shown ||= found.low > 0 || found.high < 0;
  }
  return { wrong, shown };
}
function shareOf(times: number, stream: Stream) {
  const runs = Array.from({ length: times }, (_, i) => run(stream, i + 1));
  const share = (what: "wrong" | "shown") => runs.filter((one) => one[what]).length / times;
  return { wrong: share("wrong"), shown: share("shown") };
}
const skewed = (random: () => number) => -Math.log(random()) - 1;

test.each<[string, Stream]>([
  ["few devices whose values go on coming", { units: 20, rounds: 300, newcomers: 0, between: 0, effect: 0 }],
  ["few devices that differ", { units: 20, rounds: 300, newcomers: 0, between: 1, effect: 0 }],
  ["more devices", { units: 120, rounds: 120, newcomers: 0, between: 0.2, effect: 0 }],
  ["entities that come", { units: 0, rounds: 120, newcomers: 5, between: 0.5, effect: 0 }],
  [
    "entities that come, with skewed values",
    { units: 0, rounds: 120, newcomers: 5, between: 1, effect: 0, draw: skewed },
  ],
  ["an effect, too", { units: 40, rounds: 120, newcomers: 2, between: 0.5, effect: 0.7 }],
])(
  "[C6] looked at after every round, the interval misses the truth no more often than stated: %s",
  { timeout: 120_000 },
  (_, stream) => {
    // 400 runs stray by .011 at .05.
    expect(shareOf(400, stream).wrong).toBeLessThanOrEqual(0.05 + 0.01);
  },
);

test("[C6] an effect is shown", { timeout: 120_000 }, () => {
  expect(shareOf(100, { units: 0, rounds: 100, newcomers: 6, between: 0.5, effect: 0.5 }).shown).toBeGreaterThan(0.95);
});

const arm = (n: number, mean: number) => {
  const means = { n, mean, squares: n };
  return { means, values: means };
};

test("[C6] nothing is told of few units, nor where all values are equal", () => {
  expect(compareArms(arm(9, 1), arm(100, 0), 0.05)).toBeNull();
  expect(compareArms(arm(10, 1), arm(100, 0), 0.05)).not.toBeNull();
  const equal = { means: { n: 50, mean: 1, squares: 0 }, values: { n: 50, mean: 1, squares: 0 } };
  expect(compareArms(equal, equal, 0.05)).toBeNull();
});

test("[C6] in whatever unit the metric is told, the interval is the same", () => {
  const arms = (unit: number) =>
    [0, 1].map((offset) => {
      const values = Array.from({ length: 12 }, (_, i) => (((i * 7) % 12) + offset) * unit);
      const means = values.reduce(observeValue, noMean);
      return { means, values: means };
    }) as [Compared, Compared];
  const { low, high } = compareArms(...arms(1), 0.05) ?? { low: 0, high: 0 };
  for (const unit of [1e-100, 1e-12, 1e12, 1e98]) {
    const found = compareArms(...arms(unit), 0.05);
    expect([(found?.low ?? 0) / unit / low, (found?.high ?? 0) / unit / high]).toEqual([
      expect.closeTo(1, 9),
      expect.closeTo(1, 9),
    ]);
  }
});

test("how many more units show an effect: a hundredth of the variance takes some hundred times as many", () => {
  const times = timesUntil(arm(100, 0), arm(100, 0), 0.05, 0.05);
  expect(times).toBeGreaterThan(40);
  expect(times).toBeLessThan(200);
  const then = 100 * (times as number);
  const margin = (n: number) => compareArms(arm(n, 0), arm(n, 0), 0.05)?.high ?? 1;
  expect(margin(then * 1.02)).toBeLessThan(0.05);
  expect(margin(then * 0.98)).toBeGreaterThan(0.05);
  expect(timesUntil(arm(100, 0), arm(100, 0), 0.05, 5)).toBe(1);
  expect(timesUntil(arm(100, 0), arm(100, 0), 0.05, 0)).toBeNull();
});
