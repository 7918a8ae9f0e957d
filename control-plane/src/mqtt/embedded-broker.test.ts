import { randomBytes } from "node:crypto";
import { once } from "node:events";
import { connect } from "node:net";
import { VedetteError } from "@vedette/protocol/errors";
import type { Ack } from "@vedette/protocol/messages";
import { expect, test, vi } from "vitest";
import { connected, device, ended, fakeFleet, names, testBroker } from "../../test/broker.ts";
import { noIngestion } from "../../test/empty-lake.ts";

const id = "0123456789abcdef";
const until = (check: () => void) => vi.waitFor(check, { timeout: 5000, interval: 5 });

test("a device over TCP and a page over websockets get the birth, retained", async () => {
  const { broker } = await testBroker();
  for (const [agent, url] of [
    ["dev-1", `mqtt://127.0.0.1:${broker.port}`],
    ["page-1", `ws://127.0.0.1:${broker.wsPort}`],
  ] as const) {
    const client = device(url, agent);
    await new Promise<void>((resolve) => client.once("connect", () => resolve()));
    await client.subscribeAsync(names.controlPlane, { qos: 1 });
    await until(() => expect(client.inbox).toHaveLength(1));
    expect(client.inbox[0]?.retain).toBe(true);
    expect(JSON.parse(String(client.inbox[0]?.payload))).toEqual({ on: true, incarnation: "born" });
  }
  expect(broker.connected().sort()).toEqual(["dev-1", "page-1"]);
});

test("a hint reaches the device that listens, and the one that comes later", async () => {
  const { broker } = await testBroker();
  const early = await connected(broker.port, "early");
  await early.subscribeAsync(names.desired("early"), { qos: 1 });
  await broker.hint("early", 7);
  await broker.hint("late", 8);
  const late = await connected(broker.port, "late");
  await late.subscribeAsync(names.desired("late"), { qos: 1 });
  await until(() => expect([early.inbox.length, late.inbox.length]).toEqual([1, 1]));
  expect([String(early.inbox[0]?.payload), String(late.inbox[0]?.payload)]).toEqual(['{"rev":7}', '{"rev":8}']);
});

test("blobs are answered as retained messages from the store, or by pull; what is missing is silent", async () => {
  const { broker, addBlob } = await testBroker();
  const bytes = new Uint8Array(randomBytes(96 * 1024));
  const sha = addBlob(bytes);
  const client = await connected(broker.port, "dev");
  await client.subscribeAsync(names.blob("0".repeat(64)));
  await client.subscribeAsync(names.blob(sha));
  await until(() => expect(client.inbox).toHaveLength(1));
  expect(client.inbox[0]).toMatchObject({ topic: names.blob(sha), retain: true });
  expect(Buffer.compare(client.inbox[0]!.payload, bytes)).toBe(0);

  await client.subscribeAsync(names.chunk("dev", sha));
  client.publish(names.pull("dev"), JSON.stringify({ chunks: ["0".repeat(64), sha] }), { qos: 1 });
  await until(() => expect(client.inbox).toHaveLength(2));
  expect(client.inbox[1]).toMatchObject({ topic: names.chunk("dev", sha), retain: false });
  await until(() => expect(broker.counters()).toEqual({ not_found: 1 }));
});

test("answers come in parts that fit, errors as errors, and not more than the limit", async () => {
  const long = `"\u0001é`.repeat(30_000);
  const { fleet } = fakeFleet({
    answer: async (_, request) => {
      if (request.kind === "manifest") throw new VedetteError("not_found", "no such manifest: publish it");
      return long;
    },
  });
  const { broker } = await testBroker({ fleet, limits: { requestBurst: 2, requestsPerSecond: 0.001 } });
  const client = await connected(broker.port, "dev");
  await client.subscribeAsync(names.response("dev"));
  const ask = (body: object) => client.publish(names.request("dev"), JSON.stringify({ id, ...body }), { qos: 1 });
  const answers = () => client.inbox.map(({ payload }) => JSON.parse(String(payload)));

  ask({ kind: "metadata", file: "root.json" });
  await until(() => expect(answers().length).toBe(answers()[0]?.of));
  expect(answers().length).toBeGreaterThan(1);
  expect(
    answers()
      .map((part) => part.text)
      .join(""),
  ).toBe(long);
  expect(Math.max(...client.inbox.map(({ payload }) => payload.length))).toBeLessThanOrEqual(120 * 1024);

  client.inbox.length = 0;
  ask({ kind: "manifest", digest: "0".repeat(64) });
  ask({ kind: "metadata", file: "root.json" });
  ask({ kind: "nonsense" });
  await until(() => expect(client.inbox).toHaveLength(3));
  expect(answers().map((answer) => answer.error.code)).toEqual(["not_found", "rate_limited", "invalid_message"]);
});

test("the question for a newer root that is not there is no refusal", async () => {
  const { fleet } = fakeFleet({
    answer: () => Promise.reject(new VedetteError("not_found", "there is no such metadata file")),
  });
  const { broker } = await testBroker({ fleet });
  const client = await connected(broker.port, "dev");
  await client.subscribeAsync(names.response("dev"));
  for (const file of ["2.root.json", "3.targets.json"]) {
    client.publish(names.request("dev"), JSON.stringify({ id, kind: "metadata", file }), { qos: 1 });
  }
  await until(() => expect(client.inbox).toHaveLength(2));
  await until(() => expect(broker.counters()).toEqual({ not_found: 1 }));
});

test("a port that is taken is named, with the flag that chooses another; nothing stays open", async () => {
  const { broker } = await testBroker();
  const taken = { code: "not_ready", message: expect.stringContaining(`port ${broker.port}: another program`) };
  await expect(testBroker({ port: broker.port })).rejects.toMatchObject(taken);
  await expect(testBroker({ port: broker.port })).rejects.toThrow("--mqtt-port");
  await expect(testBroker({ wsPort: broker.wsPort })).rejects.toThrow(`port ${broker.wsPort}`);
  await expect(testBroker({ wsPort: broker.wsPort })).rejects.toThrow("--ws-port");
});

test("[N1] a batch is acknowledged when the ingestion says so, not before; a refused one is named", async () => {
  let commit = (_: Ack) => {};
  const take = vi.fn(() => new Promise<Ack>((resolve) => (commit = resolve)));
  const { broker } = await testBroker({ ingestion: { ...noIngestion, take } });
  const client = await connected(broker.port, "dev");
  await client.subscribeAsync(names.ack("dev", "rain"));
  await client.publishAsync(names.log("dev", "rain"), Buffer.from([1, 2, 3]), { qos: 1 });
  await until(() => expect(take).toHaveBeenCalledWith("dev", "rain", new Uint8Array([1, 2, 3])));
  expect(client.inbox).toEqual([]);
  commit({ epoch: id, upTo: 0, also: [] });
  await until(() => expect(client.inbox).toHaveLength(1));
  expect(JSON.parse(String(client.inbox[0]?.payload))).toEqual({ epoch: id, upTo: 0, also: [] });
});

test("presence: a will says the device is gone, and the death of an older session is ignored", async () => {
  const { fleet, heard } = fakeFleet();
  const { broker } = await testBroker({ fleet });
  const will = {
    topic: names.presence("dev"),
    payload: Buffer.from('{"on":0,"sid":1}'),
    qos: 1 as const,
    retain: false,
  };
  const first = await connected(broker.port, "dev", { will });
  await first.publishAsync(names.presence("dev"), '{"on":1,"sid":1}', { qos: 1 });
  await until(() => expect(heard).toHaveLength(1));
  first.stream.destroy();
  await until(() => expect(heard).toHaveLength(2));
  const second = await connected(broker.port, "dev", { will });
  await second.publishAsync(names.presence("dev"), '{"on":1,"sid":2}', { qos: 1 });
  await until(() => expect(heard).toHaveLength(3));
  second.stream.destroy();
  await until(() => expect(broker.connected()).toEqual([]));
  const third = await connected(broker.port, "dev");
  await third.publishAsync(names.presence("dev"), '{"on":0,"sid":2}', { qos: 1 });
  await until(() => expect(heard).toHaveLength(4));
  expect(heard).toEqual([
    ["presence", "dev", true, 1],
    ["presence", "dev", false, 1],
    ["presence", "dev", true, 2],
    ["presence", "dev", false, 2],
  ]);
});

test("malformed messages are counted and change nothing", async () => {
  const { fleet, heard } = fakeFleet();
  const { broker } = await testBroker({ fleet });
  const client = await connected(broker.port, "dev");
  for (const topic of ["reported", "presence", "hb", "req", "pull"]) {
    for (const payload of ["", "{", "[]", '{"on":2}', Buffer.from([0xff, 0xfe]), randomBytes(100)]) {
      await client.publishAsync(`vd1/test/a/dev/${topic}`, payload, { qos: 1 });
    }
  }
  await until(() => expect(broker.counters().malformed).toBe(30));
  expect(heard).toEqual([]);
  expect(broker.connected()).toEqual(["dev"]);
});

test("a fleet that fails loses one message, is counted, and the next is dealt with", async () => {
  const reported = vi.fn(async () => {});
  const { fleet } = fakeFleet({
    reported,
    presence: () => Promise.reject(new Error("disk")),
    seen: () => Promise.reject(new Error("disk")),
  });
  const { broker } = await testBroker({ fleet });
  const client = await connected(broker.port, "dev");
  await client.publishAsync(names.presence("dev"), '{"on":1,"sid":1}', { qos: 1 });
  const abilities = { capability: 3, agent: "1", runtime: "r", opset: 1, kernelAbi: 1, backends: ["wasm"] };
  const report = (agent: string) => JSON.stringify({ agent, rev: 1, at: 0, abilities, slots: [] });
  await client.publishAsync(names.reported("dev"), report("victim"), { qos: 1 });
  await client.publishAsync(names.reported("dev"), report("dev"), { qos: 1 });
  await until(() => expect(reported).toHaveBeenCalledTimes(1));
  expect(reported).toHaveBeenCalledWith("dev", expect.objectContaining({ agent: "dev" }));
  expect(broker.counters()).toEqual({ failed: 1, malformed: 1 });
});

test("[Q4] one device that does not read stalls no other, and is closed", async () => {
  const { broker, addBlob } = await testBroker({ limits: { drainTimeoutMs: 60_000, unreadBytes: 1024 * 1024 } });
  const shas = Array.from({ length: 60 }, () => addBlob(new Uint8Array(randomBytes(96 * 1024))));
  const slow = await connected(broker.port, "slow");
  (slow.stream as unknown as { pause(): void }).pause();
  for (let i = 0; i < 6; i++) for (const sha of shas) slow.subscribe(names.blob(sha));
  const quick = await connected(broker.port, "quick");
  const start = performance.now();
  for (const sha of shas) await quick.subscribeAsync(names.blob(sha));
  await until(() => expect(quick.inbox).toHaveLength(60));
  expect(performance.now() - start).toBeLessThan(3000);
  await until(() => expect(broker.connected()).toEqual(["quick"]));
  expect(broker.counters().unread).toBeGreaterThan(0);
});

test("a fast device is read more slowly and loses nothing", async () => {
  const { broker } = await testBroker({ limits: { messagesPerSecond: 100, messageBurst: 20 } });
  const client = await connected(broker.port, "dev");
  const start = performance.now();
  await Promise.all(Array.from({ length: 50 }, () => client.publishAsync(names.heartbeat("dev"), "{}", { qos: 1 })));
  expect(performance.now() - start).toBeGreaterThan(250);
  await until(() => expect(broker.counters().malformed).toBe(50));
});

test("closing says so to the devices and frees the ports", async () => {
  const { broker } = await testBroker();
  const client = await connected(broker.port, "dev");
  await client.subscribeAsync(names.controlPlane, { qos: 1 });
  const gone = ended(client);
  await broker.close();
  await gone;
  expect(client.inbox.map(({ payload }) => JSON.parse(String(payload)).on)).toEqual([true, false]);
  const again = connect(broker.port, "127.0.0.1");
  const [error] = await once(again, "error");
  expect(error.code).toBe("ECONNREFUSED");
});
