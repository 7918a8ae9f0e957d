import { expect, test } from "vitest";
import { settle } from "../../sim/memory-ports.ts";
import type { Packer, Storage } from "../ports.ts";
import { account, keys, one, predict, rig, stored, upTo } from "./test/spool-rig.ts";

test("after a kill the numbers go on exactly, and nothing answered is lost", async () => {
  const { disk, open } = rig();
  const first = await open();
  await predict(first, 3);
  disk.kill();
  const second = await open();
  expect(second.epoch).toBe(first.epoch);
  expect(await predict(second, 2)).toBe(3);
  await second.cut();
  expect(account(stored(disk))).toEqual({ rows: upTo(5), gaps: [] });
});

test("[Q61] rows that are being packed elsewhere are in their segment until their batch is on the disk", async () => {
  const { disk, open } = rig();
  const asked: number[] = [];
  const packer: Packer = {
    pack({ count }) {
      asked.push(count);
      return new Promise(() => undefined);
    },
  };
  const log = await open({}, undefined, packer);
  await predict(log, 5);
  void log.cut();
  await settle();
  await predict(log, 2);
  expect(asked).toEqual([5]);
  disk.kill();
  // At a start they are packed in place: the first answer would wait for the thread.
  await open({}, undefined, packer);
  expect(account(stored(disk))).toEqual({ rows: [0, 1, 2, 3, 4, 5, 6], gaps: [] });
  expect(asked).toEqual([5]);
});

test("[P2] after a power loss an account says exactly which numbers are missing", async () => {
  const { disk, clock, open } = rig();
  const first = await open();
  await predict(first, 3);
  await clock.advance(1000);
  await predict(first, 2);
  disk.powerLoss();
  const second = await open();
  expect(await predict(second, 1)).toBe(64);
  await second.cut();
  expect(account(stored(disk))).toEqual({ rows: [0, 1, 2, 64], gaps: [["power_loss", 3, 64]] });
});

test("two power losses before a batch make one gap; a clean stop makes none", async () => {
  const { disk, open } = rig();
  await open();
  disk.powerLoss();
  await open();
  disk.powerLoss();
  const log = await open();
  expect(await predict(log, 1)).toBe(128);
  await log.close();
  disk.powerLoss();
  const last = await open();
  expect(await predict(last, 1)).toBe(129);
  await last.cut();
  expect(account(stored(disk))).toEqual({ rows: [128, 129], gaps: [["power_loss", 0, 128]] });
});

test("batch numbers are not used again after all batches were stored and deleted", async () => {
  const { disk, open } = rig();
  const log = await open();
  await predict(log, 2);
  await log.cut();
  await log.batches.drop(keys(log));
  disk.powerLoss();
  const next = await open();
  await predict(next, 1);
  await next.cut();
  expect(stored(disk).map(({ header }) => [header.seq, header.firstN, header.missing[0]?.ends])).toEqual([
    [1, 2, [64]],
    [2, 64, undefined],
  ]);
});

test("more numbers than are reserved on the disk are waited for, never handed out", async () => {
  const { open } = rig();
  const log = await open();
  expect(log.room(64)).toBeNull();
  expect(() => log.reserve(65)).toThrow("wait for room");
  await log.room(1000);
  expect(log.reserve(1000)).toBe(0);
});

test("[P10] a damaged state begins a new epoch, and what waits under the old one is still sent", async () => {
  const { disk, open } = rig();
  const log = await open();
  await predict(log, 3);
  await log.cut();
  await predict(log, 1);
  disk.poke("spool/rain-gauge/state.json", new Uint8Array([1]));
  const next = await open();
  expect(next.epoch).not.toBe(log.epoch);
  expect([next.pending, next.epochs]).toEqual([1, [log.epoch, next.epoch]]);
  expect(await predict(next, 1)).toBe(0);
  await next.cut();
  const waiting = [...next.batches.waiting].map(({ epoch, firstN, nextN }) => [epoch, firstN, nextN]);
  expect(waiting).toHaveLength(2);
  expect(waiting).toEqual(
    expect.arrayContaining([
      [log.epoch, 0, 3],
      [next.epoch, 0, 1],
    ]),
  );
  // Rows that were in no batch yet have no batch number any more: a person finds them.
  expect(disk.paths().filter((path) => path.includes("/rejected/segment-"))).toHaveLength(1);
});

test("[P11] a copy of the spool begins a new epoch: no number is given by two devices", async () => {
  const { disk, open } = rig();
  const at = (place: string) => (storage: Storage) => ({ ...storage, place });
  const log = await open({}, at("here"));
  await predict(log, 3);
  await log.close();
  expect((await open({}, at("here"))).epoch).toBe(log.epoch);
  const copy = await open({}, at("there"));
  expect(copy.epoch).not.toBe(log.epoch);
  expect(copy.pending).toBe(1);
  expect(account(stored(disk)).rows).toEqual([0, 1, 2]);
});

test("[P3] a row that cannot be written is answered and told as missing, with its version; the log heals", async () => {
  const { disk, clock, open } = rig();
  const log = await open();
  await predict(log, 1);
  disk.failAppends(1);
  await predict(log, 2);
  await clock.advance(0);
  await predict(log, 1);
  await log.cut();
  expect(account(stored(disk))).toEqual({ rows: [0, 3], gaps: [["disk_full", 1, 3]] });
  expect(stored(disk)[1]?.header.missing[0]).toMatchObject({ digest: one.digest, release: 1 });
});

test.each([0, 1])(
  "[P3] killed on a full disk that still takes the state (%i: or does not), no number comes twice",
  async (writes) => {
    const { disk, open } = rig();
    const log = await open();
    await predict(log, 1);
    disk.failAppends(Number.POSITIVE_INFINITY);
    disk.failWrites(writes === 0 ? 0 : Number.POSITIVE_INFINITY);
    for (let i = 0; i < 5; i++) await predict(log, 100);
    disk.kill();
    disk.failAppends(0);
    disk.failWrites(0);
    const next = await open();
    const first = await predict(next, 1);
    await next.cut();
    const { rows, gaps } = account(stored(disk));
    expect(rows).toEqual([0, first]);
    if (writes === 0) expect([first, gaps]).toEqual([501, [["disk_full", 1, 501]]]);
    // Blocks of 64, 64, 256 and 1,024 numbers were begun: all of these may have been given.
    else expect([first, gaps]).toEqual([1408, [["disk_full", 1, 1408]]]);
  },
);

test("a full disk costs one more open segment, however many answers it cannot log; then all is accounted for", async () => {
  const { disk, clock, open } = rig();
  const log = await open();
  await predict(log, 1);
  disk.failWrites(Number.POSITIVE_INFINITY);
  disk.failAppends(Number.POSITIVE_INFINITY);
  for (let i = 0; i < 1000; i++) {
    await predict(log, 1);
    if (i % 100 === 0) await clock.advance(2000);
  }
  expect(disk.paths().filter((path) => path.includes("segment-")).length).toBeLessThanOrEqual(2);
  disk.failWrites(0);
  disk.failAppends(0);
  await log.cut();
  await predict(log, 1);
  await log.close();
  expect(account(stored(disk))).toEqual({ rows: [0, 1001], gaps: [["disk_full", 1, 1001]] });
  expect(disk.paths()).toEqual(expect.arrayContaining([expect.stringContaining("spool/rain-gauge/logged-")]));
  const next = await open();
  expect(await predict(next, 1)).toBe(1002);
});

test("a device whose disk is full when it starts answers all the same", async () => {
  const { disk, open } = rig();
  const first = await open();
  await predict(first, 1);
  await first.close();
  disk.failWrites(Number.POSITIVE_INFINITY);
  disk.failAppends(Number.POSITIVE_INFINITY);
  const full = await open();
  expect(await predict(full, 1)).toBe(1);
  disk.kill();
  disk.failWrites(0);
  disk.failAppends(0);
  const next = await open();
  expect(await predict(next, 1)).toBeGreaterThan(1);
});
