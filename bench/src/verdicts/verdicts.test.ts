/** The quick form of the benchmark: ours alone, some seconds, against bounds that chance breaks once in a million runs; seeds are fixed. */
import { loadKernelsNode } from "@vedette/wasm-kernels/node";
import { expect, test, vi } from "vitest";
import { type Cell, cells, streamOf } from "./cells.ts";
import { alarmAt, type Detector, highest } from "./detector.ts";
import { binomialCdf } from "./intervals.ts";
import { delaysOf, type Run } from "./judge.ts";
import { bankOf } from "./plain/bank.ts";
import { features } from "./source.ts";
import { ourDetectors } from "./vedette.ts";

// Arithmetic only: on a machine where everything else runs too it takes its time.
vi.setConfig({ testTimeout: 60_000 });

const kernels = await loadKernelsNode();
const [bank, set] = ourDetectors(kernels) as [Detector, Detector];
const cell = (name: string): Cell => cells.find((one) => one.name === name)!;

/** Alarms that a binomial of `n` trials exceeds once in a million. */
function bound(n: number, p: number): number {
  let k = 0;
  while (1 - binomialCdf(k, n, p) > 1e-6) k++;
  return k;
}

async function runsOf(detector: Detector, name: string, streams: number, length: number): Promise<Run[]> {
  const runs: Run[] = [];
  for (let number = 0; number < streams; number++) {
    const stream = streamOf(cell(name), number, length);
    runs.push({ change: stream.change, records: await detector.run(stream) });
  }
  return runs;
}

const [streams, length] = [20, 2000];

// A bank's mean exceeds `arl` within n rows with probability n/arl at most; windows of w rows do at n/w times their level w/arl.
test.each(["null iid 1k", "null ar.5 1k", "null ar.8 1k", "null seasonal 1k"])(
  "%s: at most one false alarm in 30,000 rows",
  async (name) => {
    const arl = 30_000;
    const runs = await runsOf(bank, name, streams, length);
    const alarmed = runs.filter(({ records }) => alarmAt(records, bank.threshold(arl)) !== null).length;
    expect(alarmed).toBeLessThanOrEqual(bound(streams, length / arl));
  },
);

test("bank and windows together keep to it too", async () => {
  const runs = await runsOf(set, "null iid 1k", streams, length);
  const alarmed = runs.filter(({ records }) => highest(records) >= set.threshold(30_000)).length;
  expect(alarmed).toBeLessThanOrEqual(bound(streams, length / 30_000));
});

test.each([
  ["mean-1-one iid 10k", 150],
  ["noise-large-50% iid 10k", 300],
  ["mean-.25-one iid 10k", 1200],
  ["mean-1-one ar.5 10k", 1000],
])("%s is noticed at a nominal run length of a million, by median within %i rows", async (name, rows) => {
  const { median, early } = delaysOf(await runsOf(bank, name, 5, 4000), bank.threshold(1e6));
  expect(median).toBeLessThanOrEqual(rows);
  expect(early).toBe(0);
});

test("the kernels' bank alarms when the bank of the formulas does", () => {
  const names = Array.from({ length: features }, (_, f) => `f${f}`);
  const rows = Array.from({ length: 3 }, (_, number) => {
    const { reference: training, rows: live, change } = streamOf(cell("mean-.25-one iid 10k"), number, 5000);
    const reference = kernels.openReference(kernels.buildReference(names, training));
    const state = reference.newState({ deadZone: 0, lag: 1, threshold: 1e6 });
    const plain = bankOf(training, features);
    const delays = { kernels: Number.NaN, plain: Number.NaN };
    for (let i = 0; i < live.length; i += features) {
      const row = live.subarray(i, i + features);
      const delay = i / features - change!;
      plain.step(row);
      if (plain.logE() >= Math.log(1e6)) delays.plain ||= delay;
      state.observe(row);
      if (state.report().logE >= Math.log(1e6)) delays.kernels ||= delay;
      if (delays.plain && delays.kernels) break;
    }
    state.free();
    reference.free();
    return delays.kernels / delays.plain;
  });
  // Theirs have bets on missing values too, and tolerances of their own; the rest is the same.
  for (const ratio of rows) {
    expect(ratio).toBeGreaterThan(0.7);
    expect(ratio).toBeLessThan(1.4);
  }
});
