/** A prediction log over a disk in memory that can be killed, filled and cut off, and what its batches and accounts add up to. */
import { decodeBatch, openFrame, type PredictionBatch, settledBy } from "@vedette/protocol/prediction-batch";
import { expect } from "vitest";
import {
  createManualClock,
  createMemoryDisk,
  createMemoryLogger,
  createSeededRandom,
  type ManualClock,
  type MemoryDisk,
  plainCompressor,
} from "../../../sim/memory-ports.ts";
import type { Packer, Storage } from "../../ports.ts";
import { testCrypto, testKey } from "../../test/fake-peer.ts";
import type { LoggedGroup, LoggedVersion } from "../logged-rows.ts";
import { type LogLimits, openPredictionLog, type PredictionLog } from "../prediction-log.ts";
import { createSpoolBudget, type SpoolLimits } from "../spool-budget.ts";

const version = (release: number): LoggedVersion => ({
  digest: String(release).padStart(64, "0"),
  release,
  classes: ["dry", "rain"],
  value: false,
  fields: ["wind", "temp"],
  wide: false,
  texts: [],
});
export const one = version(1);
export const two = version(2);

/** What an f32 holds beside a half. */
export const heldBy = (n: number): number => n % 65_536;
/** A group whose inputs are a function of its numbers, so that a test sees a row that stands in the wrong place. */
export function group(first: number, count: number): LoggedGroup {
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

export interface Rig {
  readonly disk: MemoryDisk;
  readonly clock: ManualClock;
  open(limits?: Partial<LogLimits>, change?: (storage: Storage) => Storage, packer?: Packer): Promise<PredictionLog>;
}
export function rig(spool: Partial<SpoolLimits> = {}): Rig {
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

export async function predict(log: PredictionLog, count: number, by: LoggedVersion = one): Promise<number> {
  await log.room(count);
  const firstN = log.reserve(count);
  await log.append({ firstN, version: by, time: 5, groups: [group(firstN, count)] });
  return firstN;
}

/** Every batch and account that waits, decoded, in the order of numbers. */
export function stored(disk: MemoryDisk): PredictionBatch[] {
  return disk
    .paths()
    .filter((path) => /^spool\/rain-gauge\/(batch|lost)-/.test(path))
    .map((path) => decodeBatch(openFrame(disk.peek(path) as Uint8Array).compressed))
    .sort((a, b) => a.header.seq - b.header.seq);
}

export type Range = [reason: string, from: number, to: number];
/** The numbers in batches and what is missing, after checking that they follow each other and that each row is its own. */
export function account(batches: readonly PredictionBatch[]): { rows: number[]; gaps: Range[] } {
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
export const isIn = (gaps: readonly Range[], n: number): boolean => gaps.some(([, from, to]) => n >= from && n < to);
export const keys = (log: PredictionLog): string[] => [...log.batches.waiting].map(({ key }) => key);
export const upTo = (n: number): number[] => Array.from({ length: n }, (_, i) => i);
