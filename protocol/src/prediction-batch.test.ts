import { readFile } from "node:fs/promises";
import fc from "fast-check";
import { expect, test } from "vitest";
import { toHex } from "./bytes.ts";
import { fallbackReasons, sources } from "./ids.ts";
import {
  type ColumnData,
  compressions,
  decodeBatch,
  encodeBatch,
  encodeHead,
  maxBodyBytes,
  missingReasons,
  nameOfFrame,
  openFrame,
  type PredictionBatch,
  sealFrame,
  settledBy,
} from "./prediction-batch.ts";

const vector: PredictionBatch = {
  header: {
    v: 2,
    agent: "seattle-1",
    stream: "rain-gauge",
    epoch: "00112233445566ff",
    seq: 7,
    firstN: 40,
    count: 3,
    digest: "ab".repeat(32),
    release: 2,
    classes: ["dry", "rain"],
    clock: { wall: 1_700_000_000_000, monotonic: 5000, offset: -12 },
    missing: [],
    withheld: { entity: { mode: "sampled", rate: 0.5 }, "in:wind": { mode: "none" } },
    receipts: { salt: "0f".repeat(16), root: "cd".repeat(32), closed: ["in:wind", "entity"] },
    columns: [
      { name: "time", type: "f64" },
      { name: "source", type: "u8" },
      { name: "out:label", type: "u16" },
      { name: "n32", type: "u32" },
      { name: "confidence", type: "f32" },
      { name: "entity", type: "text" },
    ],
  },
  columns: {
    time: new Float64Array([1_700_000_000_000, 1_700_000_000_001.5, Number.NaN]),
    source: new Uint8Array([0, 1, 3]),
    "out:label": new Uint16Array([0, 1, 65_535]),
    n32: new Uint32Array([1, 2 ** 31, 2 ** 32 - 1]),
    confidence: new Float32Array([0.5, -0, Number.POSITIVE_INFINITY]),
    entity: ["Zürich", null, "🌧"],
  },
};

test("[B1] a batch has exactly these bytes, on every platform and for ever", async () => {
  const want = (await readFile(new URL("../vectors/prediction-batch-2.hex", import.meta.url), "utf8")).trim();
  expect(toHex(encodeBatch(vector))).toBe(want);
});

test("[B1] the vector reads back as what was written", () => {
  expect(decodeBatch(encodeBatch(vector))).toEqual(vector);
});

test("[B2] every batch reads back, NaN and text included", () => {
  const column = (count: number) =>
    fc.oneof(
      fc.array(fc.double(), { minLength: count, maxLength: count }).map((v) => ["f64", Float64Array.from(v)] as const),
      fc.array(fc.float(), { minLength: count, maxLength: count }).map((v) => ["f32", Float32Array.from(v)] as const),
      fc.array(fc.nat(255), { minLength: count, maxLength: count }).map((v) => ["u8", Uint8Array.from(v)] as const),
      fc
        .array(fc.option(fc.string({ unit: "grapheme" })), { minLength: count, maxLength: count })
        .map((v) => ["text", v] as const),
    );
  const batches = fc.nat(40).chain((count) =>
    fc.array(column(count), { maxLength: 6 }).map((list) => ({
      header: { ...vector.header, count, columns: list.map(([type], i) => ({ name: `c${i}`, type })) },
      columns: Object.fromEntries(list.map(([, data], i) => [`c${i}`, data as ColumnData])),
    })),
  );
  fc.assert(
    fc.property(batches, (batch) => {
      expect(decodeBatch(encodeBatch(batch))).toEqual(batch);
    }),
  );
});

test("[B3] no mutation or truncation of a batch crashes the reader: it reads, or says invalid_batch", () => {
  const good = encodeBatch(vector);
  fc.assert(
    fc.property(fc.nat(good.length - 1), fc.integer({ min: 1, max: 255 }), fc.boolean(), (at, flip, cut) => {
      const bad = cut ? good.slice(0, at) : good.map((byte, i) => (i === at ? byte ^ flip : byte));
      try {
        decodeBatch(bad);
        expect(cut).toBe(false);
      } catch (error) {
        expect(error).toMatchObject({ code: "invalid_batch" });
      }
    }),
    { numRuns: 2000 },
  );
});

test("[B3] a column of the wrong length, of another type, or twice is refused", () => {
  expect(() => encodeBatch({ ...vector, columns: { ...vector.columns, source: new Uint8Array(2) } })).toThrow(
    "column source has 2 values of 3",
  );
  expect(() => encodeBatch({ ...vector, columns: { ...vector.columns, source: new Uint16Array(3) } })).toThrow(
    "column source is not u8",
  );
  const twice = {
    ...vector,
    header: { ...vector.header, columns: [...vector.header.columns, { name: "time", type: "f64" as const }] },
  };
  expect(() => decodeBatch(encodeBatch(twice))).toThrow("column time stands twice");
});

const name = { epoch: "00112233445566ff", seq: 7 };

const head = {
  ...name,
  compression: "zstd" as const,
  bodyLength: 5,
  headerSha256: "11".repeat(32),
  bodySha256: "22".repeat(32),
  publicKey: "33".repeat(32),
};
const seal = (change: Partial<typeof head> = {}) =>
  sealFrame(encodeHead({ ...head, ...change }), "44".repeat(64), new Uint8Array([1, 2, 3]));

test("[B4] a frame names its batch, its compression and its body's length, and is refused when it would be a bomb", () => {
  const frame = seal();
  const numbers = "0200000005000000" + "00112233445566ff" + "07000000";
  const rest = ["11".repeat(32), "22".repeat(32), "33".repeat(32), "44".repeat(64), "010203"];
  expect(toHex(frame)).toBe(["56444232", numbers, ...rest].join(""));
  const { head: bytes, ...opened } = openFrame(frame);
  expect(bytes).toEqual(frame.slice(0, 120));
  expect(opened).toEqual({ ...head, signature: "44".repeat(64), compressed: new Uint8Array([1, 2, 3]) });
  expect(() => openFrame(seal({ bodyLength: maxBodyBytes + 1 }))).toThrow(/over/);
  expect(() => openFrame(frame.with(0, 0))).toThrow(/VDB2/);
  expect(() => openFrame(frame.with(4, 9))).toThrow(/unknown compression/);
  expect(() => openFrame(frame.with(6, 1))).toThrow(/unknown compression or flag/);
  expect(() => openFrame(frame.slice(0, 183))).toThrow(/ends inside/);
  expect(() => openFrame(new Uint8Array(3))).toThrow(/VDB2/);
});

test("[B5] a frame of format 1, or cut short, can still be named; the first is told to be unsigned", () => {
  const former = seal().with(3, "1".charCodeAt(0));
  expect(() => openFrame(former)).toThrow(expect.objectContaining({ code: "unsigned" }));
  expect(nameOfFrame(former)).toEqual(name);
  expect(nameOfFrame(seal().slice(0, 40))).toEqual(name);
  expect(nameOfFrame(new Uint8Array(200))).toBeUndefined();
});

test("[B10] an account settles one batch number for each of its ends", () => {
  const run = { reason: "dropped_budget", digest: null, release: null, from: 3, ends: [5, 9, 9] };
  expect(settledBy({ missing: [] })).toBe(1);
  expect(settledBy({ missing: [run, { ...run, from: 9, ends: [12] }] })).toBe(4);
});

test("[B6] what is sent as a number means the same for ever: lists only grow at their end", () => {
  expect(compressions.slice(0, 3)).toEqual(["none", "gzip", "zstd"]);
  expect(sources.slice(0, 4)).toEqual(["model", "cache", "rule", "none"]);
  expect(fallbackReasons.slice(0, 8)).toEqual([
    "no_model",
    "self_test_failed",
    "exception",
    "latency_budget",
    "out_of_range",
    "low_confidence",
    "drift_critical",
    "stale_model",
  ]);
  expect(missingReasons.slice(0, 7)).toEqual([
    "power_loss",
    "disk_full",
    "dropped_budget",
    "dropped_age",
    "sampled",
    "damaged",
    "unanswered",
  ]);
});
