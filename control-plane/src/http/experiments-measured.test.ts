/** What a whole control plane makes of the units of an experiment, and of what was measured of them. */
import { experiment } from "@vedette/protocol/experiments-api";
import { lotOf } from "@vedette/protocol/split";
import { expect, test, vi } from "vitest";
import { experimentSite, lookAt, startExperiment, there } from "../../test/experiment-site.ts";
import { type RecordsSite, startRecordsSite } from "../../test/records-site.ts";
import { one, two } from "../../test/rollout-site.ts";

/** A batch of a device's answers, one each entity. */
async function answered(
  site: RecordsSite,
  version: 1 | 2,
  entities: readonly (string | null)[],
  { agent = "gauge-1", seq = 0, from }: { agent?: string; seq?: number; from: number },
) {
  const { digest } = version === 1 ? one : two;
  const count = entities.length;
  const epoch = `${version}`.repeat(16);
  await site.take({
    ...{ agent, seq, count, epoch, firstN: 100 * seq },
    header: { digest, release: version },
    columns: {
      entity: ["text", [...entities]],
      time: ["f64", Float64Array.from(entities, (_, i) => from + i)],
    },
  });
}
/** Looks until so many units have values. */
function untilMeasured(site: RecordsSite, { candidate, incumbent }: { candidate: number; incumbent: number }) {
  const look = async () => {
    site.clock.advance(2_000);
    const now = experiment.parse((await site.call("GET", "/v1/experiments/1")).body);
    expect(now.result).toMatchObject({ candidate: { measured: candidate }, incumbent: { measured: incumbent } });
    return now.result;
  };
  return vi.waitFor(look, { timeout: 20_000, interval: 200 });
}

test("[C9] units are told by their lots: each counts once, from its first answer after the split began, by any key", async () => {
  const site = await experimentSite(startRecordsSite);
  await startExperiment(site, { split: "entities" });
  const salt = (await there(site, "gauge-1"))?.beside?.split?.salt ?? "";
  const all = Array.from({ length: 80 }, (_, i) => `customer-${i}`);
  const mine = all.filter((name) => lotOf(salt, name) < 0.5);
  const theirs = all.filter((name) => lotOf(salt, name) >= 0.5);
  const began = site.clock.now() + 1000;
  // Before the candidate's first answer there is no split: these take part in nothing.
  await answered(site, 1, ["too-early", ...theirs.slice(0, 1)], { from: began - 500 });
  await answered(site, 2, ["the-first", ...mine], { from: began });
  await answered(site, 1, theirs, { seq: 1, from: began + 10 });
  // One of the candidate's, answered by the incumbent too: it stays where its lot put it.
  await answered(site, 1, mine.slice(0, 1), { seq: 2, from: began + 500 });
  const sales = [
    ...mine.map((entity, i) => ({ entity, value: 3 + (i % 2) })),
    ...theirs.map((entity, i) => ({ entity, value: 1 + (i % 2) })),
    // Of the same unit, before it took part, of a prediction, of nobody.
    { entity: mine[0], value: 100, at: began - 400 },
    { prediction: `gauge-1.rain.${"1".repeat(16)}.100`, value: 1, at: began - 9_999_999 },
    { entity: "nobody", value: 50 },
  ].map((line) => ({ model: "rain", name: "sales", at: began + 60_000, ...line }));
  expect(await site.call("POST", "/v1/metrics", sales)).toMatchObject({ status: 200, body: { stored: sales.length } });
  const result = await untilMeasured(site, { candidate: mine.length, incumbent: theirs.length });
  expect(result).toMatchObject({
    says: "better",
    candidate: {
      units: mine.length,
      measured: mine.length,
      values: mine.length,
      crossed: 1,
      mean: expect.closeTo(3.5, 1),
    },
    incumbent: { units: theirs.length, values: theirs.length + 1, mean: expect.closeTo(1.5, 1) },
    checks: [
      { of: "units", alarm: false },
      { of: "measured", alarm: false },
    ],
  });
  expect(result?.difference?.estimate).toBeCloseTo(2, 0);
});

test("[C9] by devices the unit is the device, however much it says, and it counts from when it was drawn", async () => {
  const site = await experimentSite(startRecordsSite);
  await startExperiment(site);
  const { devices } = await lookAt(site);
  const of = (wanted: string) => devices.filter(({ arm }) => arm === wanted).map(({ agent }) => agent);
  const began = site.clock.now() + 1000;
  for (const agent of of("candidate")) {
    await answered(site, 1, [null], { agent, from: began });
    await answered(site, 2, [null, null], { agent, from: began + 10 });
  }
  for (const agent of of("incumbent")) await answered(site, 1, [null, null], { agent, from: began });
  // Before it was drawn.
  await answered(site, 1, [null], { agent: of("incumbent")[0] as string, seq: 1, from: began - 9_999_999 });
  const values = [
    ...of("candidate").flatMap((device, i) => Array.from({ length: 1 + 9 * i }, () => ({ device, value: 4 }))),
    ...of("incumbent").map((agent) => ({ prediction: `${agent}.rain.${"1".repeat(16)}.0`, value: 2 })),
    { device: of("incumbent")[0], value: 100, at: began - 5_000_000 },
  ].map((line) => ({ model: "rain", name: "sales", at: began + 60_000, ...line }));
  expect(await site.call("POST", "/v1/metrics", values)).toMatchObject({ status: 200 });
  const result = await untilMeasured(site, { candidate: 2, incumbent: 2 });
  expect(result).toMatchObject({
    says: "too_few",
    candidate: { units: 2, values: 11, mean: 4, crossed: 0 },
    incumbent: { units: 2, values: 2, mean: 2, crossed: 0 },
    why: expect.stringContaining("compared by entities"),
  });
});

test("[C15] a metric of a prediction goes with the entity that was erased, also one that comes later", async () => {
  const site = await experimentSite(startRecordsSite);
  await answered(site, 1, ["customer-1", "customer-2"], { from: site.clock.now() });
  const line = (n: number) => {
    const prediction = `gauge-1.rain.${"1".repeat(16)}.${n}`;
    return { model: "rain", name: "sales", value: 1, at: site.clock.now(), prediction };
  };
  const told = async () =>
    (await site.call("GET", "/v1/metrics")).body as { metrics: { n: number; version: number }[] };
  await site.call("POST", "/v1/metrics", [line(0), line(1)]);
  expect((await told()).metrics).toMatchObject([{ version: 1, n: 2 }]);
  await site.call("POST", "/v1/predictions/erasures", { entity: "customer-1" });
  expect((await told()).metrics).toMatchObject([{ version: 1, n: 1 }]);
  await site.call("POST", "/v1/metrics", line(0));
  await site.call("POST", "/v1/predictions/flush");
  expect((await told()).metrics).toMatchObject([{ version: 1, n: 1 }]);
  const other = { ...line(1), model: "snow" };
  expect(await site.call("POST", "/v1/metrics", other)).toMatchObject({
    body: { error: { code: "invalid_argument", message: expect.stringContaining("another model's") } },
  });
});
