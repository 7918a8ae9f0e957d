import { decodeBatch, openFrame } from "@vedette/protocol/prediction-batch";
import { expect, test } from "vitest";
import { createMemoryLogger, createSeededRandom, settle } from "../../sim/memory-ports.ts";
import { testCrypto } from "../test/fake-peer.ts";
import { createBatchSender } from "./batch-sender.ts";
import type { LoggedVersion } from "./logged-rows.ts";
import { account, group, keys, one, predict, rig, stored, two, upTo } from "./test/spool-rig.ts";

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
