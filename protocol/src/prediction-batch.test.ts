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
  frameBatch,
  maxBodyBytes,
  nameOfFrame,
  openFrame,
  type PredictionBatch,
} from "./prediction-batch.ts";

const vector: PredictionBatch = {
  header: {
    v: 1,
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
    gap: { from: 38, to: 39 },
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
  const want = (await readFile(new URL("../vectors/prediction-batch-1.hex", import.meta.url), "utf8")).trim();
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

test("[B4] a frame names its batch, its compression and its body's length, and is refused when it would be a bomb", () => {
  const frame = frameBatch(name, "zstd", 5, new Uint8Array([1, 2, 3]));
  expect(toHex(frame)).toBe("5644423102000000050000000011223344556" + "6ff07000000" + "1d80bc55" + "010203");
  expect(openFrame(frame)).toEqual({
    ...name,
    compression: "zstd",
    bodyLength: 5,
    compressed: new Uint8Array([1, 2, 3]),
  });
  expect(() => openFrame(frameBatch(name, "gzip", maxBodyBytes + 1, new Uint8Array(1)))).toThrow(/over/);
  expect(() => openFrame(frame.with(0, 0))).toThrow(/VDB1/);
  expect(() => openFrame(frame.with(4, 9))).toThrow(/unknown compression/);
  expect(() => openFrame(frame.with(6, 1))).toThrow(/unknown compression or flag/);
  expect(() => openFrame(new Uint8Array(3))).toThrow(/VDB1/);
});

test("[B5] a damaged frame is told from a whole one, and can still be named", () => {
  const frame = frameBatch(name, "none", 3, new Uint8Array([1, 2, 3]));
  const damaged = frame.with(29, 0);
  expect(() => openFrame(damaged)).toThrow(/damaged/);
  expect(nameOfFrame(damaged)).toEqual(name);
  expect(nameOfFrame(new Uint8Array(40))).toBeUndefined();
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
});
