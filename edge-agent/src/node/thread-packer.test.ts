import { logPolicy } from "@vedette/protocol/log-policy";
import { decodeBatch } from "@vedette/protocol/prediction-batch";
import { afterEach, expect, test } from "vitest";
import type { LoggedVersion } from "../core/log/logged-rows.ts";
import { packRows } from "../core/log/pack-rows.ts";
import { encodeRows, encodeSegment, readRecord } from "../core/log/segment.ts";
import type { PackQuestion } from "../core/ports.ts";
import { createMemoryLogger } from "../sim/memory-ports.ts";
import { nodeCrypto } from "./node-crypto.ts";
import { createThreadPacker, type ThreadPacker, type ThreadPackerOptions } from "./thread-packer.ts";
import { zstdCompressor } from "./zstd-compressor.ts";

const tools = { crypto: nodeCrypto, compressor: zstdCompressor };
const version = (policy: LoggedVersion["policy"]): LoggedVersion => ({
  digest: "ab".repeat(32),
  release: 3,
  classes: ["dry", "rain"],
  value: false,
  fields: ["wind", "temp"],
  wide: false,
  texts: [],
  policy,
});
const sealed = logPolicy.parse({ inputs: "full", receipts: true });
const sampled = logPolicy.parse({
  inputs: { mode: "sampled", rate: 0.5 },
  entity: { mode: "hashed" },
  salt: "0f".repeat(16),
  receipts: true,
});

/** Rows in ticks of seven, as a log would ask for them. */
function question(count: number, policy: LoggedVersion["policy"], firstN = 100): PackQuestion {
  const by = version(policy);
  const answer = {
    source: "model",
    reason: null,
    cached: false,
    label: "rain",
    value: null,
    confidence: 0.75,
  } as const;
  const records = [];
  for (let at = 0; at < count; at += 7) {
    const answers = Array.from({ length: Math.min(7, count - at) }, (_, i) => ({
      ...answer,
      scores: [i / 8, 1 - i / 8],
    }));
    const rows = Float32Array.from({ length: 2 * answers.length }, (_, i) => at + i / 2);
    const groups = [{ answers, rows, latency: 1.5, entity: `station-${at % 3}`, requestId: "é", eventTime: 99 }];
    const record = readRecord(encodeRows({ firstN: firstN + at, version: by, time: 5, groups }));
    if (record.kind === "rows") records.push(record);
  }
  const clock = { wall: 1, monotonic: 2, offset: 3 };
  return {
    batch: { agent: "a1", stream: "rain", epoch: "0123456789abcdef", seq: 7, clock },
    segment: encodeSegment(by, records),
    firstN,
    count,
    slim: false,
    salt: "0e".repeat(16),
  };
}

const open: ThreadPacker[] = [];
function rig(options: Partial<ThreadPackerOptions> = {}) {
  const log = createMemoryLogger();
  const packer = createThreadPacker(log, options);
  open.push(packer);
  return { packer, log };
}
afterEach(async () => {
  await Promise.all(open.splice(0).map((packer) => packer.close()));
});

test("[Q60] a thread makes of rows, policy and salt the same bytes as are made in place", async () => {
  const { packer, log } = rig();
  const questions = [question(1000, undefined), question(999, sealed), question(1000, sampled)];
  const packed = await Promise.all(questions.map((one) => packer.pack(one)));
  expect(packer.threadId).not.toBeNull();
  expect(packed).toEqual(await Promise.all(questions.map((one) => packRows(one, tools))));
  expect(log.entries).toEqual([]);
});

test("a part of a run is packed without its neighbours, and slim without its inputs and scores", async () => {
  const plain = {
    ...tools,
    compressor: { kind: "none" as const, compress: async (bytes: Uint8Array<ArrayBuffer>) => bytes },
  };
  const whole = question(50, undefined);
  const part = await packRows({ ...whole, firstN: 110, count: 12 }, plain);
  const { header, columns } = decodeBatch(part.compressed);
  expect(header).toMatchObject({ firstN: 110, count: 12, seq: 7 });
  expect(part.canSlim).toBe(true);
  const all = decodeBatch((await packRows(whole, plain)).compressed).columns;
  for (const [name, column] of Object.entries(columns)) expect(column).toEqual(all[name]?.slice(10, 22));
  const slim = await packRows({ ...whole, count: 1, slim: true }, plain);
  expect(slim.canSlim).toBe(false);
  expect(Object.keys(decodeBatch(slim.compressed).columns).some((name) => name.startsWith("in:"))).toBe(false);
});

test("[Q62] where the thread ends in the middle, its rows are packed in place, and the next have a thread again", async () => {
  const { packer, log } = rig();
  const asked = question(600, sealed);
  const packing = packer.pack(asked);
  const former = packer.threadId;
  await packer.close();
  expect(await packing).toEqual(await packRows(asked, tools));
  expect(log.entries.map(({ event }) => event)).toEqual(["batch_packed_in_place"]);
  expect(packer.threadId).toBeNull();
  await packer.pack(asked);
  expect(packer.threadId).not.toBeNull();
  expect(packer.threadId).not.toBe(former);
});

test("rows that make no batch are refused here, with the reason", async () => {
  const { packer } = rig();
  const asked = { ...question(600, undefined), firstN: 600 };
  await expect(packer.pack(asked)).rejects.toMatchObject({ code: "invalid_batch" });
});

test("few rows start no thread, and one that nobody asks ends", async () => {
  const { packer } = rig({ idleMs: 5 });
  await packer.pack(question(511, sealed));
  expect(packer.threadId).toBeNull();
  await packer.pack(question(512, sealed));
  await expect.poll(() => packer.threadId).toBeNull();
});
