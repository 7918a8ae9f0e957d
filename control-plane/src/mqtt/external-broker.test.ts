/** The control plane as a client of somebody's broker; of the real ones in fixtures/scenarios/brokers.test.ts. */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { topics } from "@vedette/protocol/topics";
import { Aedes } from "aedes";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import type { RetainedChunk, RetainedChunks } from "../ports.ts";
import { connectBroker, type ExternalBrokerOptions } from "./external-broker.ts";
import { connected, fakeFleet, noIngestion, realClock, silent } from "./testing.ts";

const names = topics("test");
const until = (check: () => void | Promise<void>) => vi.waitFor(check, { timeout: 10_000, interval: 10 });
let aedes: Aedes;
let server: Server;
let port = 0;
let sockets: Set<Socket>;

async function startSomeones(): Promise<void> {
  aedes = await Aedes.createBroker();
  sockets = new Set();
  server = createServer((socket) => {
    sockets.add(socket);
    aedes.handle(socket);
  });
  server.listen(port, "127.0.0.1");
  await once(server, "listening");
  port = (server.address() as AddressInfo).port;
}
async function killSomeones(): Promise<void> {
  for (const socket of sockets) socket.destroy();
  await new Promise<void>((resolve) => server.close(() => resolve()));
  await new Promise<void>((resolve) => aedes.close(() => resolve()));
}
beforeEach(async () => {
  port = 0;
  await startSomeones();
});
afterEach(() => killSomeones());

function chunkStore() {
  const bytes = new Map<string, Uint8Array<ArrayBuffer>>();
  const kept = new Map<string, RetainedChunk>();
  const wanted = new Map<string, number>();
  const chunks: RetainedChunks = {
    wanted: async () => new Map(wanted),
    kept: async () => [...kept.values()],
    keep: async (rows) => {
      for (const row of rows) kept.set(row.sha256, row);
    },
    forget: async (sha256) => void kept.delete(sha256),
  };
  const add = (refs: number) => {
    const content = new Uint8Array(randomBytes(100));
    const sha256 = createHash("sha256").update(content).digest("hex");
    bytes.set(sha256, content);
    wanted.set(sha256, refs);
    return sha256;
  };
  const blobs = { has: async () => true, get: async (sha256: string) => bytes.get(sha256), put: async () => {} };
  return { chunks, blobs, add, kept, wanted };
}

async function start(store = chunkStore(), over: Partial<ExternalBrokerOptions> = {}) {
  const { fleet, heard } = fakeFleet();
  const broker = await connectBroker({
    site: "test",
    fleet,
    blobs: store.blobs,
    ingestion: noIngestion,
    chunks: store.chunks,
    clock: realClock,
    logger: silent,
    address: { url: `mqtt://user:secret@127.0.0.1:${port}`, clientId: "vedette.control-plane" },
    incarnation: "born",
    ...over,
  });
  onTestFinished(() => broker.close());
  return { broker, heard };
}
const retained = async (topic: string) => {
  const reader = await connected(port, `reader-${randomBytes(4).toString("hex")}`);
  await reader.subscribeAsync(topic, { qos: 0 });
  await new Promise((resolve) => setTimeout(resolve, 50));
  await reader.endAsync(true);
  return reader.inbox.find((message) => message.retain)?.payload;
};

test("[Q14] wanted chunks are retained, and taken back when they are unwanted for the grace period", async () => {
  const store = chunkStore();
  const [one, two] = [store.add(1), store.add(2)];
  let now = 0;
  const clock = { ...realClock, now: () => now };
  const { broker } = await start(store, { clock, graceMs: 1000 });
  await until(async () => expect((await retained(names.blob(two)))?.length).toBe(100));
  store.wanted.delete(one);
  await broker.offer();
  expect(store.kept.get(one)).toEqual({ sha256: one, refs: 0, unusedSince: 0 });
  now = 999;
  await broker.offer();
  expect((await retained(names.blob(one)))?.length).toBe(100);
  now = 1000;
  await broker.offer();
  expect(await retained(names.blob(one))).toBeUndefined();
  expect([...store.kept.keys()]).toEqual([two]);
});

test("[Q14] a chunk that is wanted again within the grace stays", async () => {
  const store = chunkStore();
  const one = store.add(1);
  const { broker } = await start(store, { graceMs: 0 });
  await until(async () => expect(await retained(names.blob(one))).toBeDefined());
  store.wanted.delete(one);
  await store.chunks.keep([{ sha256: one, refs: 0, unusedSince: 0 }]);
  store.wanted.set(one, 1);
  await broker.offer();
  expect(store.kept.get(one)).toEqual({ sha256: one, refs: 1, unusedSince: null });
  expect(await retained(names.blob(one))).toBeDefined();
});

test("[Q15] a broker that forgot everything gets birth and chunks again, and the messages of devices arrive", async () => {
  const store = chunkStore();
  const one = store.add(1);
  const { broker, heard } = await start(store);
  await until(async () => expect(await retained(names.blob(one))).toBeDefined());
  await killSomeones();
  await until(() => expect(broker.connected).toBe(false));
  await startSomeones();
  await until(() => expect(broker.connected).toBe(true));
  await until(async () => expect(await retained(names.blob(one))).toBeDefined());
  expect(String(await retained(names.controlPlane))).toBe('{"on":true,"incarnation":"born"}');
  const device = await connected(port, "dev");
  await device.publishAsync(names.presence("dev"), '{"on":1,"sid":1}', { qos: 1 });
  await until(() => expect(heard).toEqual([["presence", "dev", true, 1]]));
});

test("what a broker retained of a device is old and not heard; another site's is none of ours", async () => {
  const before = await connected(port, "dev");
  await before.publishAsync(names.presence("dev"), '{"on":0,"sid":1}', { qos: 1, retain: true });
  const { heard } = await start();
  await before.publishAsync(topics("other").presence("dev"), '{"on":1,"sid":1}', { qos: 1 });
  await before.publishAsync(names.presence("dev"), '{"on":1,"sid":2}', { qos: 1 });
  await until(() => expect(heard).toEqual([["presence", "dev", true, 2]]));
});

test("hints are retained; the address told to devices has no password; a farewell says so", async () => {
  const { broker } = await start();
  await broker.hint("dev", 7);
  await until(async () => expect(String(await retained(names.desired("dev")))).toBe('{"rev":7}'));
  expect(broker.urls("x").mqttUrl).toBe(`mqtt://127.0.0.1:${port}`);
  await broker.disconnect("dev");
  expect(await retained(names.desired("dev"))).toBeUndefined();
  await broker.close();
  expect(String(await retained(names.controlPlane))).toBe('{"on":false,"incarnation":"born"}');
});
