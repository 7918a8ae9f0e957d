import { createHash } from "node:crypto";
import { join } from "node:path";
import { gzipSync, zstdCompressSync } from "node:zlib";
import { type Compression, headerBytes, maxBodyBytes } from "@vedette/protocol/prediction-batch";
import Database from "better-sqlite3";
import fc from "fast-check";
import { expect, onTestFinished, test } from "vitest";
import {
  epoch,
  type Made,
  makeAccount,
  makeBody,
  makeFrame,
  signFrame,
  testFolder,
  testKey,
} from "../../test/batches.ts";
import { noon } from "../../test/clock.ts";
import { defaultInboxLimits, type InboxLimits, openInbox, type Taken } from "./inbox.ts";

function testInbox(limits: Partial<InboxLimits> = {}) {
  const path = join(testFolder(), "inbox.sqlite");
  const inbox = openInbox(path, { ...defaultInboxLimits, ...limits });
  const db = new Database(path);
  onTestFinished(() => {
    inbox.close();
    db.close();
  });
  const take = (...frames: Uint8Array<ArrayBuffer>[]) =>
    inbox.take(
      frames.map((frame) => ({ agent: "dev", stream: "rain", frame, keys: [testKey] })),
      noon,
    );
  const count = (table: string) => (db.prepare(`SELECT count(*) AS n FROM ${table}`).get() as { n: number }).n;
  return { inbox, take, count };
}
const upTo = (upTo: number, ...also: number[]) => ({ ack: { epoch, upTo, also } });

test("batches are stored, acknowledged up to the first hole and beyond it one by one", () => {
  const { inbox, take, count } = testInbox();
  const frame = (seq: number) => makeFrame({ seq });
  expect(take(frame(0), frame(2), frame(4))).toEqual([upTo(0), upTo(0, 2), upTo(0, 2, 4)]);
  expect(take(frame(1))).toEqual([upTo(2, 4)]);
  expect(take(frame(3))).toEqual([upTo(4)]);
  expect(count("batches")).toBe(5);
  expect(
    inbox.stored(
      "dev",
      [
        { stream: "rain", epoch },
        { stream: "snow", epoch },
      ],
      noon,
    ),
  ).toEqual([
    { stream: "rain", epoch, upTo: 4 },
    { stream: "snow", epoch, upTo: -1 },
  ]);
});

const lost = (reason: string, from: number, ...ends: number[]) => ({ reason, digest: null, release: null, from, ends });

test("[N7] what a device accounts as missing is counted once, by version and reason; an account that cannot be is refused", () => {
  const { inbox, take } = testInbox();
  const good = makeAccount(1, [lost("power_loss", 3, 20)]);
  take(makeFrame({ seq: 0 }), good, good);
  const digest = "cd".repeat(32);
  take(good, makeAccount(2, [{ ...lost("dropped_budget", 20, 27), digest, release: 4 }, lost("unanswered", 27, 28)]));
  expect(inbox.missing()).toEqual({ rain: 24 });
  expect(inbox.missingByReason()).toEqual([
    { model: "rain", digest: null, release: null, reason: "power_loss", predictions: 17 },
    { model: "rain", digest: null, release: null, reason: "unanswered", predictions: 1 },
    { model: "rain", digest, release: 4, reason: "dropped_budget", predictions: 7 },
  ]);
  const wrong: [number, Uint8Array<ArrayBuffer>, string][] = [
    [4, makeAccount(4, [lost("sampled", 59, 40)]), "order"],
    [5, makeAccount(5, [lost("sampled", 60, 70), lost("sampled", 65, 80)]), "order"],
    [6, makeAccount(6, [lost("sampled", 0, 2)]), "before it reaches"],
    [7, makeFrame({ seq: 7, firstN: 90, header: { missing: [lost("sampled", 80, 90)] } }), "holds predictions"],
    [8, makeAccount(8, [lost("sampled", 80, ...new Array<number>(1001).fill(80))]), "settles 1001"],
  ];
  for (const [seq, frame, why] of wrong) {
    expect(take(frame)).toMatchObject([{ ack: { reject: seq }, refused: expect.stringContaining(why) }]);
  }
  expect(inbox.missing()).toEqual({ rain: 24 });
});

test("[P14] an account settles many batches; those that were stored before stay stored, and their rows are not missing", () => {
  const { inbox, take, count } = testInbox();
  const batch = (seq: number) => makeFrame({ seq });
  // The device gave up what it had sent: the answer to it was lost, or comes later.
  expect(take(batch(1))).toEqual([upTo(-1, 1)]);
  expect(take(makeAccount(0, [lost("dropped_budget", 0, 3, 6, 9)]))).toEqual([upTo(2)]);
  expect(inbox.missing()).toEqual({ rain: 6 });
  expect(take(makeAccount(0, [lost("dropped_budget", 0, 3, 6, 9, 12)]))).toEqual([upTo(3)]);
  expect(inbox.missing()).toEqual({ rain: 9 });
  // What the broker had kept of them comes too late.
  expect(take(batch(2))).toMatchObject([{ ack: { reject: 2, why: expect.stringContaining("other bytes") } }]);
  expect(take(batch(4))).toEqual([upTo(4)]);
  expect(count("batches")).toBe(2);
});

test("[B11] a batch that its device did not sign is refused, and keeps the device's own from nothing", () => {
  const { inbox, take, count } = testInbox();
  const good = makeFrame();
  const forged: [string, Uint8Array<ArrayBuffer>, string][] = [
    ["another signature", good.with(150, (good[150] as number) ^ 1), "not signed"],
    ["another number", good.with(20, 7), "not signed"],
    ["another key", good.with(100, (good[100] as number) ^ 1), "not signed"],
    ["format 1", good.with(3, "1".charCodeAt(0)), "format 1"],
    ["a head cut short", good.slice(0, 130), "ends inside"],
    ["a body over the limit", frameBatch(name, "none", maxBodyBytes + 1, new Uint8Array(10)), "over"],
  ];
  for (const [what, frame, why] of forged) {
    const hash = createHash("sha256").update(frame).digest("hex");
    expect(take(frame), what).toMatchObject([{ ack: { epoch, frame: hash, why: expect.stringContaining(why) } }]);
  }
  expect(count("keys")).toBe(0);
  expect(inbox.take([{ agent: "dev", stream: "rain", frame: good, keys: ["00".repeat(32)] }], noon)).toMatchObject([
    { refused: expect.stringContaining("not signed") },
  ]);
  expect(take(good)).toEqual([upTo(0)]);
});

test("[B12] batches of a device that nobody knows wait: it may come back with a newer backup", () => {
  const { inbox, count } = testInbox({ pauseMs: 9 });
  const from = { agent: "dev", stream: "rain", frame: makeFrame(), keys: [] };
  expect(inbox.take([from], noon)).toEqual([{ ack: { pause: 9 } }]);
  expect([count("batches"), count("refused_frames")]).toEqual([0, 0]);
});

test("[N2] in any order and with any repeats, each batch is stored once and all are acknowledged", () => {
  const frames = Array.from({ length: 6 }, (_, seq) => makeFrame({ seq }));
  fc.assert(
    fc.property(fc.array(fc.nat({ max: 5 }), { minLength: 1, maxLength: 20 }), (order) => {
      const { take, count } = testInbox();
      const seen = new Set<number>();
      for (const seq of order) {
        const [taken] = take(frames[seq]!);
        seen.add(seq);
        let hole = 0;
        while (seen.has(hole)) hole++;
        expect(taken).toEqual(upTo(hole - 1, ...[...seen].filter((s) => s > hole).sort()));
      }
      expect(count("batches")).toBe(seen.size);
    }),
    { numRuns: 20 },
  );
});

test("[N2] other bytes under a stored key are refused, and the first stay", () => {
  const { take, count } = testInbox();
  const first = makeFrame();
  take(first);
  const [taken] = take(makeFrame({ columns: { "in:temp": ["f32", Float32Array.of(9, 9, 9)] } }));
  expect(taken).toMatchObject({ ack: { epoch, reject: 0, why: expect.stringContaining("other bytes") } });
  expect(take(first)).toEqual([upTo(0)]);
  expect([count("batches"), count("refused_frames")]).toEqual([1, 1]);
});

const body = makeBody();
const text = (length: number) => ["x".repeat(length), null, null];
test.each<[string, Made, string]>([
  ["another agent's", { agent: "victim" }, "victim/rain"],
  ["another stream's", { stream: "snow" }, "dev/snow"],
  [
    "too many columns",
    { columns: Object.fromEntries(Array.from({ length: 1100 }, (_, i) => [`in:${i}`, ["u8", new Uint8Array(3)]])) },
    "columns",
  ],
  ["a frame that names another batch", { head: { seq: 5 } }, "another batch"],
  ["a standard column of another type", { columns: { source: ["u16", new Uint16Array(3)] } }, "source"],
  ["a label that is no class", { columns: { "out:label": ["u16", Uint16Array.of(0, 2, 0)] } }, "label"],
  ["a time that is none", { columns: { time: ["f64", Float64Array.of(0, Number.NaN, 0)] } }, "time"],
  ["a time beyond all dates", { columns: { time: ["f64", Float64Array.of(0, 1e17, 0)] } }, "time"],
  ["a clock beyond all dates", { header: { clock: { wall: 0, monotonic: 0, offset: 1e300 } } }, "time"],
  ["a very long entity", { columns: { entity: ["text", text(2000)] } }, "entity"],
  ["numbers over 2^53", { firstN: Number.MAX_SAFE_INTEGER - 1 }, "2^53"],
])("a batch with %s is refused, kept aside, and holds nothing up", (_, made, why) => {
  const { take, count } = testInbox();
  const [taken] = take(makeFrame(made));
  expect(taken).toMatchObject({ ack: { epoch, reject: 0, why: expect.stringContaining(why) } });
  expect([count("batches"), count("refused_frames")]).toEqual([0, 1]);
  const own = made.agent === undefined && made.stream === undefined;
  if (own) expect(take(makeFrame({ seq: 1 }))).toEqual([upTo(1)]);
});

const name = { epoch, seq: 0 };
const headerHash = (of: Uint8Array<ArrayBuffer>) => createHash("sha256").update(headerBytes(of)).digest("hex");
const frameBatch = (of: typeof name, compression: Compression, bodyLength: number, compressed: Uint8Array) =>
  signFrame({ ...of, compression, bodyLength }, compressed, headerHash(body));
/** With the hash of whatever header these bytes have, as a rogue device can make it. */
const rogueFrame = (bytes: Uint8Array<ArrayBuffer>) => {
  let hash = headerHash(body);
  try {
    hash = headerHash(bytes);
  } catch {
    // No header at all.
  }
  return signFrame({ ...name, compression: "none", bodyLength: bytes.length }, bytes, hash);
};

test.each<[string, Uint8Array<ArrayBuffer>]>([
  ["nothing", new Uint8Array(0)],
  ["noise", new Uint8Array(100).fill(7)],
])("%s is an error that names no batch", (_, frame) => {
  const { take, count } = testInbox();
  const [taken] = take(frame) as [Taken];
  expect("error" in taken && taken.error.code).toBe("invalid_batch");
  expect([count("batches"), count("refused_frames")]).toEqual([0, 1]);
});

test.each<[string, Uint8Array<ArrayBuffer>]>([
  ["a zstd bomb", frameBatch(name, "zstd", body.length, zstdCompressSync(new Uint8Array(64 * 1024 * 1024)))],
  ["a gzip bomb", frameBatch(name, "gzip", body.length, gzipSync(new Uint8Array(64 * 1024 * 1024)))],
  ["a body longer than said", frameBatch(name, "gzip", body.length - 1, gzipSync(body))],
  ["a body shorter than said", frameBatch(name, "gzip", body.length + 1, gzipSync(body))],
  ["a header that is none", frameBatch(name, "none", 8, Uint8Array.of(4, 0, 0, 0, 110, 117, 108, 108))],
])("%s is refused by its number, costs no memory, and holds nothing up", (_, frame) => {
  const { take, count } = testInbox();
  const before = process.memoryUsage().arrayBuffers;
  const [taken] = take(frame) as [Taken];
  expect(taken).toMatchObject({ ack: { epoch, reject: 0 } });
  expect(process.memoryUsage().arrayBuffers - before).toBeLessThan(8 * 1024 * 1024);
  expect([count("batches"), count("refused_frames")]).toEqual([0, 1]);
  expect(take(makeFrame({ seq: 1 }))).toEqual([upTo(1)]);
  expect(take(frame)).toMatchObject([{ ack: { reject: 0 } }]);
});

test.each<[string, (whole: Uint8Array<ArrayBuffer>) => Uint8Array<ArrayBuffer>]>([
  ["a bit of its body", (whole) => whole.with(230, (whole[230] as number) ^ 4)],
  ["its number", (whole) => whole.with(20, 9)],
  ["its length", (whole) => whole.with(8, (whole[8] as number) ^ 1)],
  ["its end", (whole) => whole.slice(0, 250)],
])(
  "[F16] a batch that lost %s on the way is refused by these bytes alone, and stored when it comes whole",
  (_, damage) => {
    const { take, count } = testInbox();
    const whole = makeFrame();
    const damaged = damage(whole);
    const refusal = { ack: { epoch, frame: createHash("sha256").update(damaged).digest("hex") } };
    expect(take(damaged)).toMatchObject([refusal]);
    expect([count("batches"), count("refused_frames"), count("keys")]).toEqual([0, 1, 0]);
    expect(take(whole, makeFrame({ seq: 9 }))).toEqual([upTo(0), upTo(0, 9)]);
    expect(take(damaged)).toMatchObject([refusal]);
    expect(take(makeFrame({ seq: 1 }))).toEqual([upTo(1, 9)]);
    expect(count("batches")).toBe(3);
  },
);

test("[B7] a newer agent's columns and sources are stored: what is unknown is passed over, not refused", () => {
  const { take, count } = testInbox();
  const columns: Made["columns"] = {
    "x:y": ["f32", new Float32Array(3)],
    "in:colour": ["text", ["red", null, "blue"]],
    source: ["u8", Uint8Array.of(0, 9, 0)],
  };
  expect(take(makeFrame({ columns }))).toEqual([upTo(0)]);
  expect(count("batches")).toBe(1);
});

test("[N3] whatever bytes follow a good header, nothing is thrown and nothing wrong is stored", () => {
  const { take, count } = testInbox();
  fc.assert(
    fc.property(fc.nat({ max: body.length - 1 }), fc.integer({ min: 0, max: 255 }), (at, byte) => {
      const mutated = body.slice();
      mutated[at] = byte;
      const stored = count("batches");
      const [taken] = take(rogueFrame(mutated)) as [Taken];
      const acked = "ack" in taken && "upTo" in taken.ack;
      expect(count("batches") - stored).toBeLessThanOrEqual(acked ? 1 : 0);
    }),
  );
});

test("refused frames are kept up to a number, and columns of a model too", () => {
  const { take, count } = testInbox({ refusedKept: 5 });
  for (let i = 0; i < 12; i++) take(new Uint8Array(i));
  expect(count("refused_frames")).toBe(5);
  const wide = (seq: number) =>
    makeFrame({
      seq,
      columns: Object.fromEntries(Array.from({ length: 900 }, (_, i) => [`in:${seq}-${i}`, ["u8", new Uint8Array(3)]])),
    });
  for (let seq = 0; seq < 6; seq++) expect(take(wide(seq))).toEqual([upTo(seq)]);
  expect(count("lake_columns")).toBe(4200);
});

test("a full inbox asks devices to pause and stores nothing", () => {
  const { take, count } = testInbox({ waiting: 2, pauseMs: 77 });
  take(makeFrame({ seq: 0 }), makeFrame({ seq: 1 }));
  expect(take(makeFrame({ seq: 2 }))).toEqual([{ ack: { pause: 77 } }]);
  expect(count("batches")).toBe(2);
});

test("columns whose names collide are kept apart, and keep their names", () => {
  const path = join(testFolder(), "inbox.sqlite");
  const inbox = openInbox(path);
  const frame = makeFrame({
    columns: {
      "in:a b": ["f32", new Float32Array(3)],
      "in:a_b": ["f32", new Float32Array(3)],
      "in:A-B": ["f32", new Float32Array(3)],
    },
  });
  inbox.take([{ agent: "dev", stream: "rain", frame, keys: [testKey] }], noon);
  inbox.close();
  const db = new Database(path);
  onTestFinished(() => void db.close());
  const names = db.prepare("SELECT original, name FROM lake_columns WHERE original LIKE 'in:a_b' ORDER BY name").all();
  expect(names).toEqual([
    { original: "in:a b", name: "in_a_b" },
    { original: "in:a_b", name: "in_a_b_2" },
    { original: "in:A-B", name: "in_A_B_3" },
  ]);
});

test("a batch of no predictions is stored", () => {
  const { take } = testInbox();
  expect(take(makeFrame({ count: 0 }))).toEqual([upTo(0)]);
});

test("[N9] a new batch with numbers that are stored already is refused, in whatever order batches come", () => {
  const { take, count } = testInbox();
  const rejects = (seq: number, why: string) => ({ ack: { epoch, reject: seq, why: expect.stringContaining(why) } });
  expect(take(makeFrame({ seq: 0 }), makeFrame({ seq: 3 }))).toEqual([upTo(0), upTo(0, 3)]);
  expect(take(makeFrame({ seq: 1, firstN: 0 }))).toMatchObject([rejects(1, "batch 0 before it reaches to 2")]);
  expect(take(makeFrame({ seq: 2, firstN: 8 }))).toMatchObject([rejects(2, "batch 3 after it begins with 9")]);
  expect(take(makeFrame({ seq: 4, count: 0, firstN: 0 }))).toEqual([upTo(4)]);
  expect(take(makeFrame({ seq: 5, firstN: 11 }))).toMatchObject([rejects(5, "batch 3 before it reaches to 11")]);
  expect(take(makeFrame({ seq: 6, firstN: 500 }))).toEqual([upTo(6)]);
  expect(take(makeFrame({ seq: 6, firstN: 500 }))).toEqual([upTo(6)]);
  expect([count("batches"), count("ranges")]).toEqual([4, 1]);
});
