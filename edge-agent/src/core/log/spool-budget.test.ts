import { VedetteError } from "@vedette/protocol/errors";
import { expect, test } from "vitest";
import type { LoggedVersion } from "./logged-rows.ts";
import type { PredictionLog } from "./prediction-log.ts";
import { account, one, predict, rig, stored, upTo } from "./test/spool-rig.ts";

const written = async (log: PredictionLog, batches: number): Promise<void> => {
  for (let i = 0; i < batches; i++) {
    await predict(log, 4);
    await log.cut();
  }
};
const bytesOf = (log: PredictionLog): number => log.batches.bytes;

test("[P12] over its bytes the oldest batches go, told number by number with their version; the rest is as it was", async () => {
  const { disk, open } = rig({ bytes: 20_000 });
  const log = await open({ batchRows: 4 });
  await written(log, 100);
  expect(bytesOf(log)).toBeLessThanOrEqual(20_000);
  const { rows, gaps } = account(stored(disk));
  expect(gaps).toEqual([["dropped_budget", 0, rows[0]]]);
  expect(rows).toEqual(upTo(400).slice(rows[0]));
  expect(rows.length).toBeGreaterThan(20);
  expect(stored(disk)[0]?.header.missing[0]).toMatchObject({ digest: one.digest, release: 1 });
  expect(disk.paths().filter((path) => path.includes("/lost-"))).toHaveLength(1);
});

test("[P12] by the policy `sample` what is left is spread over all the time", async () => {
  const { disk, open } = rig({ bytes: 20_000 });
  const log = await open({ batchRows: 4 });
  const sampling: LoggedVersion = { ...one, policy: { inputs: "full", whenFull: "sample" } };
  for (let i = 0; i < 100; i++) {
    await predict(log, 4, sampling);
    await log.cut();
  }
  const { rows, gaps } = account(stored(disk));
  expect(new Set(gaps.map(([reason]) => reason))).toEqual(new Set(["sampled"]));
  expect(rows.length + gaps.reduce((sum, [, from, to]) => sum + to - from, 0)).toBe(400);
  for (let quarter = 0; quarter < 4; quarter++) {
    expect(rows.some((n) => n >= 100 * quarter && n < 100 * (quarter + 1))).toBe(true);
  }
  expect(bytesOf(log)).toBeLessThanOrEqual(20_000);
});

test("[P12] batches older than their age go; none goes for a clock that nobody set right", async () => {
  const { disk, clock, open } = rig({ ageMs: 5000 });
  const log = await open({ batchRows: 4 });
  await written(log, 3);
  await clock.advance(6000);
  await written(log, 1);
  expect(account(stored(disk))).toEqual({ rows: upTo(16).slice(12), gaps: [["dropped_age", 0, 12]] });
});

test("a spool over its budget whose disk takes no account keeps its batches until it does", async () => {
  const { disk, open } = rig({ bytes: 5_000 });
  let full = true;
  const log = await open({}, (storage) => ({
    ...storage,
    write: (path, bytes) =>
      full && path.includes("/lost-")
        ? Promise.reject(new VedetteError("storage_failed", "the disk is full"))
        : storage.write(path, bytes),
  }));
  await written(log, 4);
  expect(account(stored(disk))).toEqual({ rows: upTo(16), gaps: [] });
  full = false;
  await written(log, 1);
  const { rows, gaps } = account(stored(disk));
  expect(rows.length + (gaps[0]?.[2] ?? 0)).toBe(20);
});
