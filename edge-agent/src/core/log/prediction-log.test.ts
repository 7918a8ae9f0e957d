import { VedetteError } from "@vedette/protocol/errors";
import { decodeBatch, openFrame, type PredictionBatch } from "@vedette/protocol/prediction-batch";
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
import type { Storage } from "../ports.ts";
import { createBatchSender } from "./batch-sender.ts";
import { type LogLimits, openPredictionLog, type PredictionLog } from "./prediction-log.ts";
import type { LoggedGroup, LoggedVersion } from "./segment.ts";

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

/** A group whose inputs are a function of its numbers, so that a test sees a row that stands in the wrong place. */
function group(first: number, count: number): LoggedGroup {
  const rows = Float32Array.from({ length: 2 * count }, (_, i) => first + Math.floor(i / 2) + (i % 2) / 2);
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
  open(limits?: Partial<LogLimits>, change?: (storage: Storage) => Storage): Promise<PredictionLog>;
}
function rig(): Rig {
  const disk = createMemoryDisk();
  const clock = createManualClock(1_000_000);
  const random = createSeededRandom(3);
  return {
    disk,
    clock,
    open: (limits, change = (storage) => storage) =>
      openPredictionLog({
        agent: "a1",
        stream: "rain-gauge",
        ports: { clock, random, storage: change(disk.start()), compressor: plainCompressor, log: createMemoryLogger() },
        limits: { reserveAhead: 64, ...limits },
      }),
  };
}

async function predict(log: PredictionLog, count: number, by: LoggedVersion = one): Promise<number> {
  await log.room(count);
  const firstN = log.reserve(count);
  log.append({ firstN, version: by, time: 5, groups: [group(firstN, count)] });
  return firstN;
}

/** Every batch that waits, decoded. */
function stored(disk: MemoryDisk): PredictionBatch[] {
  return disk
    .paths()
    .filter((path) => path.startsWith("spool/rain-gauge/batch-"))
    .map((path) => decodeBatch(openFrame(disk.peek(path) as Uint8Array).compressed));
}

/** The numbers in batches and in gaps, after checking that they follow each other and that each row is its own. */
function account(batches: readonly PredictionBatch[]): { rows: number[]; gaps: number[] } {
  const rows: number[] = [];
  const gaps: number[] = [];
  let next = 0;
  for (const [seq, { header, columns }] of batches.entries()) {
    expect(header.seq).toBe(seq);
    if (header.gap) {
      expect(header.gap.from).toBe(next);
      for (let n = header.gap.from; n <= header.gap.to; n++) gaps.push(n);
      next = header.gap.to + 1;
    }
    expect(header.firstN).toBe(next);
    for (let i = 0; i < header.count; i++) {
      rows.push(header.firstN + i);
      expect(columns["in:wind"]?.[i]).toBe(header.firstN + i);
      expect(columns["in:temp"]?.[i]).toBe(header.firstN + i + 0.5);
    }
    next += header.count;
  }
  return { rows, gaps };
}
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
      clock: { wall: 1_000_000, monotonic: 0, offset: null },
      gap: null,
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
    log.append({
      firstN: log.reserve(1),
      version: wide,
      time: 1,
      groups: [{ answers, rows: new Float64Array([0.1, 2]), latency: 1 }],
    });
    const silent: LoggedVersion = { ...wide, fields: [] };
    log.append({
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
    log.append({
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

  test("[P2] after a power loss the next batch says exactly which numbers are missing", async () => {
    const { disk, clock, open } = rig();
    const first = await open();
    await predict(first, 3);
    await clock.advance(1000);
    await predict(first, 2);
    disk.powerLoss();
    const second = await open();
    expect(await predict(second, 1)).toBe(64);
    await second.cut();
    expect(stored(disk).map(({ header }) => header.gap)).toEqual([null, { from: 3, to: 63 }]);
    expect(account(stored(disk)).rows).toEqual([0, 1, 2, 64]);
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
    expect(stored(disk).map(({ header }) => header.gap)).toEqual([{ from: 0, to: 127 }, null]);
  });

  test("batch numbers are not used again after all batches were stored and deleted", async () => {
    const { disk, open } = rig();
    const log = await open();
    await predict(log, 2);
    await log.cut();
    await log.batches.drop([0]);
    disk.powerLoss();
    const next = await open();
    await predict(next, 1);
    await next.cut();
    expect(stored(disk).map(({ header }) => [header.seq, header.firstN, header.gap])).toEqual([
      [1, 64, { from: 2, to: 63 }],
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

  test("a damaged state begins a new epoch and says so", async () => {
    const { disk, open } = rig();
    const log = await open();
    await predict(log, 1);
    await log.cut();
    disk.poke("spool/rain-gauge/state.json", new Uint8Array([1]));
    const next = await open();
    expect(next.epoch).not.toBe(log.epoch);
    expect(next.pending).toBe(0);
    expect(await predict(next, 1)).toBe(0);
  });

  test("[P3] a failed append is not answered, and the log heals with the next segment", async () => {
    const { disk, clock, open } = rig();
    const log = await open();
    await predict(log, 1);
    const files = disk.paths();
    const before = disk.peek(files.find((path) => path.includes("segment-")) as string);
    disk.failAppends(1);
    await expect(predict(log, 1)).rejects.toThrow("free space");
    await clock.advance(0);
    await predict(log, 1);
    await log.cut();
    expect(before).toBeDefined();
    expect(account(stored(disk))).toEqual({ rows: [0, 2], gaps: [1] });
  });

  test("a full disk costs one more open segment, however many answers it refuses", async () => {
    const { disk, clock, open } = rig();
    let full = false;
    const log = await open({}, (storage) => ({
      ...storage,
      write: (path, bytes) =>
        full ? Promise.reject(new VedetteError("storage_failed", "the disk is full")) : storage.write(path, bytes),
    }));
    await predict(log, 1);
    full = true;
    disk.failAppends(Number.POSITIVE_INFINITY);
    for (let i = 0; i < 10; i++) {
      await expect(predict(log, 1)).rejects.toThrow("free space");
      await clock.advance(0);
    }
    expect(disk.paths().filter((path) => path.includes("segment-"))).toHaveLength(2);
    full = false;
    disk.failAppends(0);
    await log.cut();
    await predict(log, 1);
    await log.cut();
    expect(account(stored(disk))).toEqual({ rows: [0, 11], gaps: upTo(11).slice(1) });
  });
});

test("with a sender: stored batches leave, the rest is sent again after a kill, under the same numbers", async () => {
  const { disk, clock, open } = rig();
  const sent: string[] = [];
  const start = async () => {
    const log = await open({ batchRows: 4 });
    const sender = createBatchSender({
      log,
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
    { weight: 1, arbitrary: fc.record({ kind: fc.constant("fill disk" as const) }) },
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
        async (lives) => {
          const { disk, clock, open } = rig();
          const answered = new Set<number>();
          /** What the control plane has stored, by batch number. */
          const above = new Map<number, Uint8Array>();
          let powerLosses = 0;
          let failures = 0;
          const limits = { batchRows: 8, batchAgeMs: 1500 };
          const store = (): void => {
            for (const path of disk.paths().filter((name) => name.includes("/batch-"))) {
              const frame = disk.peek(path) as Uint8Array;
              const { seq } = decodeBatch(openFrame(frame).compressed).header;
              if (above.has(seq)) expect(frame).toEqual(above.get(seq));
              above.set(seq, frame);
            }
          };
          const live = async (
            steps: readonly (typeof step extends fc.Arbitrary<infer T> ? T : never)[],
          ): Promise<void> => {
            const log = await open(limits);
            for (const now of steps) {
              if (now.kind === "predict") {
                const first = await predict(log, now.count).catch((error: unknown) => {
                  if (!String(error).includes("free space")) throw error;
                  failures++;
                  return undefined;
                });
                if (first === undefined) continue;
                for (let n = first; n < first + now.count; n++) {
                  expect(answered.has(n)).toBe(false);
                  answered.add(n);
                }
              } else if (now.kind === "wait") await clock.advance(now.ms);
              else if (now.kind === "cut") await log.cut();
              else if (now.kind === "fill disk") disk.failAppends(1);
              else if (now.kind === "store") {
                store();
                await log.batches.drop([...log.batches.waiting].map(({ seq }) => seq));
              } else {
                await log.close();
                return;
              }
            }
          };
          for (const [steps, end] of lives) {
            disk.killAt(end.at, end.torn);
            await live(steps).catch((error: unknown) => {
              if (!String(error).includes("killed") && !String(error).includes("free space")) throw error;
            });
            if (end.power) {
              disk.powerLoss(end);
              powerLosses++;
            } else disk.kill();
            await settle();
          }
          disk.killAt(Number.MAX_SAFE_INTEGER, 0);
          disk.failAppends(0);
          const last = await open(limits);
          const next = await predict(last, 1);
          await last.cut();
          store();
          const batches = [...above]
            .sort(([a], [b]) => a - b)
            .map(([, frame]) => decodeBatch(openFrame(frame).compressed));
          const { rows, gaps } = account(batches);
          expect(rows.length + gaps.length).toBe(next + 1);
          for (const n of answered) expect(rows.includes(n) || gaps.includes(n)).toBe(true);
          if (powerLosses === 0) {
            // A number whose append failed was never answered: it may be missing, and nothing else.
            if (failures === 0) expect(gaps).toEqual([]);
            for (const n of answered) expect(rows).toContain(n);
          }
        },
      ),
      { numRuns: 250 },
    );
  });
});
