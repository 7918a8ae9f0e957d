import { VedetteError } from "@vedette/protocol/errors";
import { decodeBatch, openFrame, type PredictionBatch, settledBy } from "@vedette/protocol/prediction-batch";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import {
  createManualClock,
  createMemoryDisk,
  createMemoryLogger,
  createSeededRandom,
  type ManualClock,
  type MemoryDisk,
  plainCompressor,
  settle,
} from "../../sim/memory-ports.ts";
import type { Packer, Storage } from "../ports.ts";
import { testCrypto, testKey } from "../test/fake-peer.ts";
import { createBatchSender } from "./batch-sender.ts";
import { type LogLimits, openPredictionLog, type PredictionLog } from "./prediction-log.ts";
import type { LoggedGroup, LoggedVersion } from "./segment.ts";
import { createSpoolBudget, type SpoolLimits } from "./spool-budget.ts";

const version = (release: number): LoggedVersion => ({
  digest: String(release).padStart(64, "0"),
  release,
  classes: ["dry", "rain"],
  value: false,
  fields: ["wind", "temp"],
  wide: false,
  texts: [],
});
const one = version(1);
const two = version(2);

/** What an f32 holds beside a half. */
const heldBy = (n: number): number => n % 65_536;
/** A group whose inputs are a function of its numbers, so that a test sees a row that stands in the wrong place. */
function group(first: number, count: number): LoggedGroup {
  const rows = Float32Array.from({ length: 2 * count }, (_, i) => heldBy(first + Math.floor(i / 2)) + (i % 2) / 2);
  const answer = { source: "model", reason: null, cached: false, label: "rain", value: null } as const;
  return {
    answers: Array.from({ length: count }, () => ({ ...answer, confidence: 0.75, scores: [0.25, 0.75] })),
    rows,
    latency: 1.5,
    entity: "station-é",
    eventTime: 99,
  };
}

interface Rig {
  readonly disk: MemoryDisk;
  readonly clock: ManualClock;
  open(limits?: Partial<LogLimits>, change?: (storage: Storage) => Storage, packer?: Packer): Promise<PredictionLog>;
}
function rig(spool: Partial<SpoolLimits> = {}): Rig {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  const random = createSeededRandom(3);
  return {
    disk,
    clock,
    open: (limits, change = (storage) => storage, packer) =>
      openPredictionLog({
        agent: "a1",
        stream: "rain-gauge",
        ports: {
          clock,
          random,
          storage: change(disk.start()),
          compressor: plainCompressor,
          crypto: testCrypto,
          key: testKey,
          log: createMemoryLogger(),
          ...(packer && { packer }),
        },
        limits: { reserveAhead: 64, ...limits },
        offset: () => 0,
        budget: createSpoolBudget(spool, createMemoryLogger()),
      }),
  };
}

async function predict(log: PredictionLog, count: number, by: LoggedVersion = one): Promise<number> {
  await log.room(count);
  const firstN = log.reserve(count);
  await log.append({ firstN, version: by, time: 5, groups: [group(firstN, count)] });
  return firstN;
}

/** Every batch and account that waits, decoded, in the order of numbers. */
function stored(disk: MemoryDisk): PredictionBatch[] {
  return disk
    .paths()
    .filter((path) => /^spool\/rain-gauge\/(batch|lost)-/.test(path))
    .map((path) => decodeBatch(openFrame(disk.peek(path) as Uint8Array).compressed))
    .sort((a, b) => a.header.seq - b.header.seq);
}

type Range = [reason: string, from: number, to: number];
/** The numbers in batches and what is missing, after checking that they follow each other and that each row is its own. */
function account(batches: readonly PredictionBatch[]): { rows: number[]; gaps: Range[] } {
  const rows: number[] = [];
  const gaps: Range[] = [];
  let next = 0;
  let seq = 0;
  for (const { header, columns } of batches) {
    expect(header.seq).toBe(seq);
    seq += settledBy(header);
    for (const { reason, from, ends } of header.missing) {
      expect(from).toBe(next);
      next = ends.at(-1) as number;
      const last = gaps.at(-1);
      if (last?.[0] === reason && last[2] === from) last[2] = next;
      else gaps.push([reason, from, next]);
    }
    if (header.missing.length > 0) continue;
    expect(header.firstN).toBe(next);
    for (let i = 0; i < header.count; i++) {
      rows.push(header.firstN + i);
      expect(columns["in:wind"]?.[i]).toBe(heldBy(header.firstN + i));
      expect(columns["in:temp"]?.[i]).toBe(heldBy(header.firstN + i) + 0.5);
    }
    next += header.count;
  }
  return { rows, gaps };
}
const isIn = (gaps: readonly Range[], n: number): boolean => gaps.some(([, from, to]) => n >= from && n < to);
const keys = (log: PredictionLog): string[] => [...log.batches.waiting].map(({ key }) => key);
const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);

describe("batches", () => {
  test("a row comes out as it went in", async () => {
    const { disk, open } = rig();
    const log = await open();
    await predict(log, 2);
    expect(log.id(1)).toBe(`a1.rain-gauge.${log.epoch}.1`);
    await log.cut();
    const [batch] = stored(disk);
    expect(batch?.header).toMatchObject({
      agent: "a1",
      stream: "rain-gauge",
      epoch: log.epoch,
      seq: 0,
      firstN: 0,
      count: 2,
      digest: one.digest,
      release: 1,
      classes: ["dry", "rain"],
      clock: { wall: 1_000_000, monotonic: 0, offset: 0 },
      missing: [],
      withheld: {},
      receipts: null,
    });
    expect(batch?.columns).toMatchObject({
      time: new Float64Array([5, 5]),
      latency: new Float32Array([1.5, 1.5]),
      source: new Uint8Array(2),
      reason: new Uint8Array([255, 255]),
      confidence: new Float32Array([0.75, 0.75]),
      entity: ["station-é", "station-é"],
      eventTime: new Float64Array([99, 99]),
      request: [null, null],
      "out:label": new Uint16Array([1, 1]),
      "out:score:dry": new Float32Array([0.25, 0.25]),
      "in:temp": new Float32Array([0.5, 1.5]),
    });
  });

  test("64-bit inputs and values keep their bits; the policy `none` logs no inputs", async () => {
    const { disk, open } = rig();
    const log = await open();
    const wide: LoggedVersion = { ...one, classes: null, value: true, wide: true };
    const answers = [
      {
        source: "model",
        reason: null,
        cached: false,
        confidence: null,
        label: null,
        value: 0.1,
        scores: null,
      } as const,
    ];
    await log.room(2);
    await log.append({
      firstN: log.reserve(1),
      version: wide,
      time: 1,
      groups: [{ answers, rows: new Float64Array([0.1, 2]), latency: 1 }],
    });
    const silent: LoggedVersion = { ...wide, fields: [] };
    await log.append({
      firstN: log.reserve(1),
      version: silent,
      time: 1,
      groups: [{ answers, rows: new Float64Array([0.1, 2]), latency: 1 }],
    });
    await log.cut();
    const [first, second] = stored(disk);
    expect(first?.columns).toMatchObject({ "in:wind": new Float64Array([0.1]), "out:value": new Float64Array([0.1]) });
    expect(Object.keys(second?.columns ?? {}).filter((name) => name.startsWith("in:"))).toEqual([]);
  });

  test("a tick that overfills a batch makes it longer, and no second one of the few rows beyond", async () => {
    const { disk, open } = rig();
    const log = await open({ batchRows: 4 });
    await predict(log, 5);
    await settle();
    await predict(log, 6);
    await settle();
    expect(stored(disk).map(({ header }) => header.count)).toEqual([5, 3, 3]);
  });

  test("they are cut by rows, by age and by version, and fit a packet", async () => {
    const { disk, clock, open } = rig();
    const log = await open({ batchRows: 4, batchAgeMs: 500, frameBytes: 2000 });
    await predict(log, 4);
    await settle();
    expect(stored(disk).map(({ header }) => header.count)).toEqual([4]);
    await predict(log, 1);
    await predict(log, 1, two);
    await clock.advance(500);
    expect(stored(disk).map(({ header }) => [header.count, header.release])).toEqual([
      [4, 1],
      [1, 1],
      [1, 2],
    ]);
    await predict(log, 60);
    await settle();
    account(stored(disk));
    for (const path of disk.paths().filter((name) => name.includes("batch-"))) {
      expect(disk.peek(path)?.length).toBeLessThanOrEqual(2000);
    }
  });

  test("a row too wide for a packet is sent without inputs and scores, so that its number is accounted for", async () => {
    const { disk, open } = rig();
    const log = await open({ frameBytes: 4000 });
    const fields = Array.from({ length: 400 }, (_, i) => `f${i}`);
    const answers = group(0, 1).answers;
    await log.room(1);
    await log.append({
      firstN: log.reserve(1),
      version: { ...one, fields },
      time: 1,
      groups: [{ answers, rows: new Float32Array(400), latency: 1 }],
    });
    await log.cut();
    expect(stored(disk)[0]?.header).toMatchObject({ count: 1 });
    expect(Object.keys(stored(disk)[0]?.columns ?? {})).not.toContain("in:f0");
  });
});

describe("numbers", () => {
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
});

test("[P13] a batch that the disk damaged is told as missing, kept for a person, and holds nothing up", async () => {
  const { disk, open } = rig();
  const log = await open({ batchRows: 4 });
  for (let i = 0; i < 3; i++) {
    await predict(log, 4);
    await log.cut();
  }
  const [, path = ""] = disk.paths().filter((name) => name.includes("/batch-"));
  const bytes = disk.peek(path) as Uint8Array<ArrayBuffer>;
  disk.poke(path, bytes.with(bytes.length - 9, (bytes[bytes.length - 9] as number) ^ 1));
  for (const key of keys(log)) await log.batches.read(key);
  expect(account(stored(disk))).toEqual({ rows: [...upTo(4), 8, 9, 10, 11], gaps: [["damaged", 4, 8]] });
  expect(disk.paths().filter((name) => name.includes("/rejected/"))).toHaveLength(1);
  expect([...log.batches.waiting].map(({ seq }) => seq)).toEqual([0, 1, 2]);
});

describe("budget", () => {
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
});

test("with a sender: stored batches leave, the rest is sent again after a kill, under the same numbers", async () => {
  const { disk, clock, open } = rig();
  const sent: string[] = [];
  const start = async () => {
    const log = await open({ batchRows: 4 });
    const sender = createBatchSender({
      log,
      sha256: testCrypto.sha256,
      publish: async (frame) => {
        const { seq, firstN, count } = decodeBatch(openFrame(frame).compressed).header;
        sent.push(`${seq}:${firstN}+${count}`);
      },
      clock,
      random: createSeededRandom(9),
      logger: createMemoryLogger(),
    });
    sender.connected();
    return { log, sender };
  };
  const first = await start();
  for (let i = 0; i < 3; i++) {
    await predict(first.log, 4);
    await settle();
  }
  first.sender.acked({ epoch: first.log.epoch, upTo: 0, also: [] });
  await settle();
  expect(sent).toEqual(["0:0+4", "1:4+4", "2:8+4"]);
  await predict(first.log, 1);
  disk.kill();
  const second = await start();
  await settle();
  second.sender.stored(2, second.log.epoch);
  await settle();
  expect(sent.slice(3)).toEqual(["1:4+4", "2:8+4", "3:12+1"]);
  expect(stored(disk).map(({ header }) => header.seq)).toEqual([3]);
});

/** All that an error says, causes and parts included. */
const told = (error: unknown): string =>
  error instanceof AggregateError
    ? error.errors.map(told).join()
    : error instanceof Error
      ? `${error} ${told(error.cause)}`
      : "";
const unlessFull = (error: unknown): void => {
  if (!told(error).includes("full") || told(error).includes("killed")) throw error;
};

describe("[model] a spool survives death at every change of the disk", () => {
  const step = fc.oneof(
    {
      weight: 4,
      arbitrary: fc.record({ kind: fc.constant("predict" as const), count: fc.integer({ min: 1, max: 9 }) }),
    },
    {
      weight: 2,
      arbitrary: fc.record({ kind: fc.constant("wait" as const), ms: fc.integer({ min: 100, max: 3000 }) }),
    },
    { weight: 2, arbitrary: fc.record({ kind: fc.constant("cut" as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("store" as const) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("fill disk" as const), writes: fc.nat(3) }) },
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("close" as const) }) },
  );
  const death = fc.record({
    at: fc.integer({ min: 0, max: 25 }),
    torn: fc.constantFrom(0, 0.3, 0.9, 1),
    power: fc.boolean(),
    keep: fc.constantFrom(0, 0.4, 1),
    undoRemoves: fc.boolean(),
  });

  test("[P1] numbers are unique, every answered row or its gap reaches the control plane, a kill makes no gap", async () => {
    await fc.assert(
      fc.asyncProperty(
        fc.array(fc.tuple(fc.array(step, { maxLength: 12 }), death), { maxLength: 5 }),
        fc.constantFrom(3_000, 6_000, 1e9),
        fc.constantFrom("oldest" as const, "sample" as const),
        async (lives, bytes, whenFull) => {
          const { disk, clock, open } = rig({ bytes });
          const by: LoggedVersion = { ...one, policy: { inputs: "full", whenFull } };
          const answered = new Set<number>();
          /** What the control plane has stored, by batch number. */
          const above = new Map<number, { rows: number; from: number } | { lost: Range }>();
          let powerLosses = 0;
          let failures = 0;
          const limits = { batchRows: 8, batchAgeMs: 1500 };
          /** As the control plane does: a batch number is settled once, by a batch or by a part of an account. */
          const store = (): void => {
            for (const { header, columns } of stored(disk)) {
              const parts = header.missing.flatMap(({ reason, from, ends }) =>
                ends.map((end, i): Range => [reason, i === 0 ? from : (ends[i - 1] as number), end]),
              );
              if (parts.length === 0) {
                const before = above.get(header.seq);
                if (before && "rows" in before) expect(before.rows).toEqual(header.count);
                above.set(header.seq, before ?? { rows: header.count, from: header.firstN });
                expect(columns["in:wind"]?.[0]).toBe(heldBy(header.firstN));
              }
              for (const [i, part] of parts.entries()) {
                if (!above.has(header.seq + i)) above.set(header.seq + i, { lost: part });
              }
            }
          };
          const live = async (
            steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
          ): Promise<void> => {
            const log = await open(limits);
            for (const now of steps) {
              if (now.kind === "predict") {
                const first = await predict(log, now.count, by);
                for (let n = first; n < first + now.count; n++) {
                  expect(answered.has(n)).toBe(false);
                  answered.add(n);
                }
              } else if (now.kind === "wait") await clock.advance(now.ms);
              else if (now.kind === "cut") await log.cut().catch(unlessFull);
              else if (now.kind === "fill disk") {
                failures++;
                disk.failAppends(1 + now.writes);
                disk.failWrites(now.writes);
              } else if (now.kind === "store") {
                store();
                await log.batches.drop(keys(log)).catch(unlessFull);
              } else {
                await log.close().catch(unlessFull);
                return;
              }
            }
          };
          for (const [steps, end] of lives) {
            disk.killAt(end.at, end.torn);
            await live(steps).catch((error: unknown) => {
              if (!/killed|full/.test(told(error))) throw error;
            });
            if (end.power) {
              disk.powerLoss(end);
              powerLosses++;
            } else disk.kill();
            await settle();
          }
          disk.killAt(Number.MAX_SAFE_INTEGER, 0);
          disk.failAppends(0);
          disk.failWrites(0);
          const last = await open(limits);
          const next = await predict(last, 1);
          await last.cut();
          store();
          const settled = [...above].sort(([a], [b]) => a - b).map(([, what]) => what);
          expect([...above.keys()].sort((a, b) => a - b)).toEqual(upTo(above.size));
          const rows = new Set<number>();
          const gaps: Range[] = [];
          let reached = 0;
          for (const what of settled) {
            const [from, to] = "lost" in what ? [what.lost[1], what.lost[2]] : [what.from, what.from + what.rows];
            expect(from).toBe(reached);
            reached = to;
            if ("lost" in what) gaps.push(what.lost);
            else for (let n = from; n < to; n++) rows.add(n);
          }
          expect(reached).toBe(next + 1);
          for (const n of answered) expect(rows.has(n) || isIn(gaps, n)).toBe(true);
          const reasons = new Set(gaps.map(([reason]) => reason));
          if (powerLosses === 0) expect(reasons).not.toContain("power_loss");
          if (failures === 0) expect(reasons).not.toContain("disk_full");
          if (bytes === 1e9) expect([...reasons].filter((reason) => /dropped|sampled/.test(reason))).toEqual([]);
          // Nothing but what was given up is missing of what was answered.
          if (reasons.size === 0) for (const n of answered) expect(rows.has(n)).toBe(true);
        },
      ),
      { numRuns: 250 },
    );
  });
});
