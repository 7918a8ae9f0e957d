import { expect, test } from "vitest";
import { manualClock } from "../../../test/clock.ts";
import { noLabels } from "../../../test/no-records.ts";
import type { VersionRecord } from "../../db/records.ts";
import type { PerformanceGroup, PerformanceRequest } from "../../measured.ts";
import { noRisk, observeLoss } from "../../statistics/risk-sequence.ts";
import { createHarmOracle } from "./harm-of.ts";

const since = "2026-01-02T00:00:00.000Z";

function group(n: number, loss: (i: number) => number, classes = true): PerformanceGroup {
  let risk = noRisk;
  for (let i = 0; i < n; i++) risk = observeLoss(risk, loss(i));
  return {
    version: 1,
    digest: null,
    slice: null,
    day: null,
    classes,
    predictions: n,
    labelled: n,
    unreadable: 0,
    risk,
  };
}
/** An oracle over what is labelled since and before, of a version that was published with these metrics. */
function oracleOf(after: PerformanceGroup[], before: PerformanceGroup[], trainingData?: Record<string, number>) {
  const asked: PerformanceRequest[] = [];
  const version = { model: "m", version: 1, lineage: trainingData ? { trainingData } : {} } as unknown as VersionRecord;
  const oracle = createHarmOracle({
    db: {
      versions: { list: async () => [version], modelNames: async () => ["m"] },
      devices: { list: async () => [] },
    } as never,
    labels: {
      ...noLabels,
      async performance(request) {
        asked.push(request);
        return request.since === undefined ? before : after;
      },
    },
    clock: manualClock(),
  });
  return { ask: (over: object = {}) => oracle.harmOf({ model: "m", version: 1, since, ...over }), asked };
}
const every = (k: number) => (i: number) => (i % k === 0 ? 1 : 0);

test("[U10] a hundred earlier labels speak for the time before; with fewer the training data do, and without any nobody", async () => {
  const now = [group(400, every(2))];
  const training = { rows: 900, accuracy: 0.8 };
  expect(await oracleOf(now, [group(99, every(10))], training).ask()).toMatchObject({
    verdict: "harmful",
    before: { from: "training_data", n: 900, mean: expect.closeTo(0.2, 12) },
  });
  expect(await oracleOf(now, [group(100, every(10))], training).ask()).toMatchObject({
    before: { from: "earlier_labels", n: 100, mean: 0.1 },
  });
  const few = await oracleOf([group(40, every(2))], [group(80, every(10))]).ask();
  expect(few).toMatchObject({ verdict: "unknown", before: { from: "earlier_labels", n: 80 } });
  expect(few.why).toContain("more labels decide it");
  const nothing = await oracleOf(now, []).ask();
  expect(nothing).toMatchObject({ verdict: "unknown", before: null, difference: null });
  expect(nothing.why).toContain("nothing is known of the time before");
});

test("[U10] devices are asked about apart, and held against all of the time before", async () => {
  const { ask, asked } = oracleOf([group(1, every(2))], []);
  await ask({ agents: ["a"] });
  expect(asked).toMatchObject([{ since, agents: ["a"] }, { until: since }]);
  expect(asked[1]?.agents).toBeUndefined();
});

test("[U10] a regression is held against its training error, on ten times that as its scale", async () => {
  const training = { rows: 900, mae: 2, r2: 0.5 };
  const { ask, asked } = oracleOf([group(500, () => 0.4, false)], [], training);
  expect(await ask()).toMatchObject({ verdict: "harmful", scale: 20, before: { from: "training_data", mean: 0.1 } });
  expect(asked[0]).toMatchObject({ scale: 20, error: "absolute" });
  expect(await ask({ scale: 4 })).toMatchObject({ scale: 4, before: { mean: 0.5 } });
  // Nothing is known of its squared error.
  expect(await ask({ error: "squared" })).toMatchObject({ verdict: "unknown", before: null });
});
