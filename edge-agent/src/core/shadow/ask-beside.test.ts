/** What is asked of a version beside the one that answers, on the whole core: within limits, and harming no answer. */
import { expect, it } from "vitest";
import { ask, proofRuns, shadowed } from "../test/shadowed.ts";
import { sampled } from "./sampled.ts";

it.each([
  ["throws", "throw" as const, [0, 3, 0, 0]],
  ["answers NaN", "nan" as const, [0, 3, 0, 0]],
  ["is too slow", "slow" as const, [0, 3, 0, 0]],
])("[S51] one that %s is counted as unfit, and harms no answer", async (_, answer, fit) => {
  const { run, peer } = await shadowed({ scale: 2, later: { afterRuns: proofRuns, answer } });
  expect(await ask(run, 3)).toEqual([2, 4, 6]);
  await run.clock.advance(120_000);
  const counts = peer.parcels.map((parcel) => parcel.counts);
  expect(counts.reduce((sum, { rows, skipped }) => sum + rows + skipped, 0)).toBe(3);
  for (const { rows, fit: got } of counts) expect(got).toEqual(fit.map((share) => (share / 3) * rows));
  expect(run.slot()).toMatchObject({ serving: { release: 1 }, beside: { state: "asking" } });
});

it("[S51] one that hangs is given up, and said so", async () => {
  const { run, peer } = await shadowed({ scale: 2, later: { afterRuns: proofRuns, answer: "hang" } });
  expect(await ask(run, 5)).toEqual([2, 4, 6, 8, 10]);
  await run.clock.advance(11_000);
  expect(run.slot()?.beside).toMatchObject({ state: "rejected", reason: "latency_budget" });
  expect(run.slot()?.beside?.why).toMatch(/did not end within 10000 ms/);
  expect(await ask(run, 2)).toEqual([2, 4]);
  await run.clock.advance(60_000);
  // The one that hung is unfit; those that waited behind it were never asked.
  expect(peer.parcels.at(-1)?.counts).toMatchObject({ rows: 1, skipped: 4, fit: [0, 1, 0, 0] });
  expect(run.loaded).toEqual([2]);
});

it("[S52] a sample is chosen by the predictions' numbers, and what was not asked is counted", async () => {
  const { run, peer } = await shadowed({ scale: 3 }, 0.3);
  await ask(run, 100);
  await run.clock.advance(60_000);
  const [parcel] = peer.parcels;
  const { rows = 0, skipped = 0 } = parcel?.counts ?? {};
  expect(rows + skipped).toBe(100);
  expect(rows).toBeGreaterThan(15);
  expect(rows).toBeLessThan(45);
  expect(run.slot()?.beside).toMatchObject({ pairs: rows, skipped });
  // None agrees, so each that was asked is listed: anybody can tell which they are, without being told.
  const numbers = parcel?.disagreements.map(({ id }) => Number(id.split(".")[1])) ?? [];
  const [first = 0, last = 0] = [numbers[0], numbers.at(-1)];
  const between = Array.from({ length: last - first + 1 }, (_, i) => first + i);
  expect(numbers).toEqual(between.filter((n) => sampled(n, 0.3)));
});

it("[S58] where the device is behind, rows are dropped and counted, and none waits for memory", async () => {
  const { run, peer } = await shadowed({ scale: 2, later: { afterRuns: proofRuns, answer: "hang" } });
  const many = Array.from({ length: 40 }, (_, i) =>
    run.agent.predict({ model: "rain", rows: Float32Array.from({ length: 32 }, () => i) }),
  );
  await Promise.all([Promise.all(many), run.clock.advance(50)]);
  // 256 rows are taken, the first run of them is asked, and all others are dropped at once.
  expect(run.slot()?.beside).toMatchObject({ pairs: 0, skipped: 40 * 32 - 256 });
  await run.clock.advance(12_000);
  const { rows = 0, skipped = 0 } = peer.parcels.at(-1)?.counts ?? {};
  expect(rows + skipped).toBe(40 * 32);
  expect(rows).toBe(32);
});

it("[S59] takes its share of time and no more", async () => {
  const { run, peer } = await shadowed({ scale: 2, runMs: 8 });
  for (let i = 0; i < 400; i++) {
    await run.predict(i + 0.5);
    await run.clock.advance(1);
  }
  await run.clock.advance(130_000);
  const counted = peer.parcels.map(({ counts }) => counts);
  const rows = counted.reduce((sum, each) => sum + each.rows, 0);
  expect(rows + counted.reduce((sum, each) => sum + each.skipped, 0)).toBe(400);
  // A second saved up, and a twentieth of what passes.
  expect(rows).toBeGreaterThan(100);
  expect(rows).toBeLessThan(250);
});
