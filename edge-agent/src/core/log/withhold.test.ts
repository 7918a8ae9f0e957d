import { toHex } from "@vedette/protocol/bytes";
import { hashedValue, isWithheld, type LogPolicy } from "@vedette/protocol/log-policy";
import { decodeBatch, openFrame, type PredictionBatch, signedHead } from "@vedette/protocol/prediction-batch";
import { commitsTo, leafOfRow, merkleRoot, type ReceiptValue } from "@vedette/protocol/receipt";
import { expect, test } from "vitest";
import {
  createManualClock,
  createMemoryDisk,
  createMemoryLogger,
  createSeededRandom,
  plainCompressor,
} from "../../sim/memory-ports.ts";
import { testCrypto, testKey } from "../test/fake-peer.ts";
import type { LoggedGroup } from "./logged-rows.ts";
import { openPredictionLog } from "./prediction-log.ts";

const { hash } = testCrypto;
const salt = "0f".repeat(16);
const rowsOf = (count: number): number[][] => Array.from({ length: count }, (_, i) => [i, i + 0.5]);

/** The batch that a log makes of these rows by a policy, and its frame. */
async function published(
  policy: LogPolicy,
  count = 40,
): Promise<{ batch: PredictionBatch; frame: Uint8Array<ArrayBuffer> }> {
  const disk = createMemoryDisk();
  const log = await openPredictionLog({
    agent: "a1",
    stream: "rain",
    ports: {
      clock: createManualClock(),
      random: createSeededRandom(3),
      storage: disk.start(),
      compressor: plainCompressor,
      crypto: testCrypto,
      key: testKey,
      log: createMemoryLogger(),
    },
  });
  const groups: LoggedGroup[] = rowsOf(count).map((row, i) => ({
    answers: [
      {
        source: "model",
        reason: null,
        cached: false,
        label: i % 2 ? "rain" : "dry",
        value: null,
        confidence: 0.75,
        scores: [0.25, 0.75],
      },
    ],
    rows: Float32Array.from(row),
    latency: 1.5,
    entity: `station-${i % 3}`,
    requestId: `r${i}`,
    eventTime: 99,
  }));
  await log.room(count);
  const version = {
    digest: "ab".repeat(32),
    release: 3,
    classes: ["dry", "rain"],
    value: false,
    fields: ["wind", "temp"],
    wide: false,
    texts: [],
    policy,
  };
  await log.append({ firstN: log.reserve(count), version, time: 5, groups });
  await log.cut();
  const frame = disk.peek(disk.paths().find((path) => path.includes("/batch-")) as string) as Uint8Array<ArrayBuffer>;
  return { batch: decodeBatch(openFrame(frame).compressed), frame };
}

const names = (batch: PredictionBatch): string[] => batch.header.columns.map(({ name }) => name);
const rowAt = (batch: PredictionBatch, i: number): Record<string, ReceiptValue> =>
  Object.fromEntries(names(batch).map((name) => [name, batch.columns[name]?.[i] ?? null]));
const idOf = ({ header }: PredictionBatch, n: number): string => `a1.rain.${header.epoch}.${n}`;

test("[P15] what the policy withholds is in no byte of the batch, and is told from what was missing", async () => {
  const { batch, frame } = await published({
    inputs: "full",
    fields: { wind: { mode: "none" } },
    entity: { mode: "none" },
    request: { mode: "none" },
    outputs: { mode: "none" },
  });
  expect(names(batch)).toEqual([
    ...["time", "latency", "source", "reason", "cached", "confidence", "entity", "eventTime", "request", "in:temp"],
  ]);
  const text = Buffer.from(frame).toString("latin1");
  for (const secret of ["station-1", "r17"]) expect(text).not.toContain(secret);
  expect(batch.columns.entity?.every((value) => value === null)).toBe(true);
  expect(batch.columns.confidence?.every((value) => Number.isNaN(value))).toBe(true);
  const withheld = ["confidence", "entity", "in:wind", "out:label", "out:score:dry", "out:score:rain", "request"];
  expect(Object.keys(batch.header.withheld).sort()).toEqual(withheld);
  expect(withheld.every((name) => isWithheld(batch.header.withheld, name, idOf(batch, 0)))).toBe(true);
  expect(isWithheld(batch.header.withheld, "in:temp", idOf(batch, 0))).toBe(false);
});

test("[P15] a sample keeps the values of the predictions that their ids choose, and no other's", async () => {
  const { batch } = await published(
    { inputs: { mode: "sampled", rate: 0.3 }, outputs: { mode: "sampled", rate: 0.5 } },
    400,
  );
  let kept = 0;
  for (let i = 0; i < 400; i++) {
    const seen = !isWithheld(batch.header.withheld, "in:wind", idOf(batch, i));
    expect(batch.columns["in:wind"]?.[i]).toEqual(seen ? i : Number.NaN);
    const labelled = !isWithheld(batch.header.withheld, "out:label", idOf(batch, i));
    expect(batch.columns["out:label"]?.[i]).toBe(labelled ? i % 2 : 65_535);
    if (seen) kept++;
    if (seen) expect(labelled).toBe(true);
  }
  expect(kept).toBeGreaterThan(60);
  expect(kept).toBeLessThan(180);
});

test("[P15] hashes stand for entities, labels and inputs: equal ones are equal, by the salt of the policy", async () => {
  const hashed = { mode: "hashed" } as const;
  const { batch } = await published({
    inputs: "full",
    fields: { wind: hashed },
    entity: hashed,
    outputs: hashed,
    salt,
  });
  expect(batch.columns.entity?.[1]).toBe(hashedValue(hash, salt, "station-1"));
  expect(batch.columns.entity?.[4]).toBe(batch.columns.entity?.[1]);
  expect(batch.columns["hash:in:wind"]?.[7]).toBe(hashedValue(hash, salt, 7));
  expect(batch.columns["hash:out:label"]?.slice(0, 2)).toEqual([
    hashedValue(hash, salt, "dry"),
    hashedValue(hash, salt, "rain"),
  ]);
  expect(names(batch).filter((name) => /^(in:wind|out:)/.test(name))).toEqual([]);
});

const policies: [string, LogPolicy][] = [
  ["all is logged", { inputs: "full", receipts: true }],
  ["nothing is logged", { inputs: "none", entity: { mode: "none" }, outputs: { mode: "none" }, receipts: true }],
  ["a sample is logged", { inputs: { mode: "sampled", rate: 0.5 }, receipts: true }],
  ["inputs are hashed", { inputs: { mode: "hashed" }, entity: { mode: "hashed" }, salt, receipts: true }],
];
test.each(policies)(
  "[P16] receipts where %s: the signed root is that of the rows as they stand in the batch",
  async (_, policy) => {
    const { batch, frame } = await published(policy);
    const { header } = batch;
    const leaves = Array.from({ length: header.count }, (_, i) => {
      const commit = (batch.columns.commit?.[i] ?? null) as string | null;
      return leafOfRow(hash, header, header.firstN + i, rowAt(batch, i), commit);
    });
    expect(toHex(merkleRoot(hash, leaves))).toBe(header.receipts?.root);
    const opened = openFrame(frame);
    expect(opened.publicKey).toBe(testKey.publicKeyHex);
    expect(await testCrypto.verify(opened.publicKey, signedHead(opened.head), opened.signature)).toBe(true);
  },
);

test("[P16] who holds the original request shows what was withheld of a row, and of the rows that were kept there is no need", async () => {
  const { batch } = await published({
    inputs: { mode: "sampled", rate: 0.5 },
    entity: { mode: "sampled", rate: 0.5 },
    receipts: true,
  });
  let shown = 0;
  for (let i = 0; i < batch.header.count; i++) {
    const commit = batch.columns.commit?.[i] as string | null;
    expect(commit !== null).toBe(isWithheld(batch.header.withheld, "in:wind", idOf(batch, i)));
    if (commit === null) continue;
    shown++;
    const request = { "in:wind": i, "in:temp": i + 0.5, entity: `station-${i % 3}` };
    expect(commitsTo(hash, batch.header, i, request, commit)).toBe(true);
    expect(commitsTo(hash, batch.header, i, { ...request, "in:wind": i + 1 }, commit)).toBe(false);
  }
  expect(shown).toBeGreaterThan(5);
});
