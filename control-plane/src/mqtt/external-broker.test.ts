/** The control plane as a client of somebody's broker; of the real ones in fixtures/scenarios/brokers.test.ts. */
import { createHash, randomBytes } from "node:crypto";
import { once } from "node:events";
import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { topics } from "@vedette/protocol/topics";
import { Aedes } from "aedes";
import { afterEach, beforeEach, expect, onTestFinished, test, vi } from "vitest";
import { connected, fakeFleet } from "../../test/broker.ts";
import { manualClock, noon, silentLogger } from "../../test/clock.ts";
import { noIngestion } from "../../test/empty-lake.ts";
import { openDatabase } from "../db/database.ts";
import { createPresence } from "../fleet/presence.ts";
import type { RetainedChunk, RetainedChunks } from "../ports.ts";
import { systemClock } from "../system-clock.ts";
import { connectBroker, type ExternalBrokerOptions } from "./external-broker.ts";

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
    clock: systemClock,
    logger: silentLogger,
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

/** It says so when it listens. */
const born = () => until(async () => expect(await retained(names.controlPlane)).toBeDefined());

test("[Q14] wanted chunks are retained, and taken back when they are unwanted for the grace period", async () => {
  const store = chunkStore();
  const [one, two] = [store.add(1), store.add(2)];
  let now = 0;
  const clock = { ...systemClock, now: () => now };
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

test("[Q50] what cannot be stored yet is kept back by the broker, not in memory, and none of it is lost", async () => {
  let held = 0;
  let taken = 0;
  const gate = Promise.withResolvers<void>();
  const take = async () => {
    held++;
    await gate.promise;
    taken++;
    return { pause: 1 };
  };
  await start(chunkStore(), { ingestion: { ...noIngestion, take }, maxInFlightBytes: 10_000 });
  await born();
  const device = await connected(port, "dev");
  const sent = Array.from({ length: 200 }, () =>
    device.publishAsync(names.log("dev", "rain"), randomBytes(1000), { qos: 1 }),
  );
  await until(() => expect(held).toBeGreaterThan(9));
  await new Promise((resolve) => setTimeout(resolve, 200));
  expect(held).toBe(11);
  gate.resolve();
  await Promise.all(sent);
  await until(() => expect(taken).toBe(200));
});

test("[Q51] each topic is subscribed by a packet of its own, once a connection", async () => {
  const packets: string[][] = [];
  const note = () => {
    aedes.on("subscribe", (subscriptions, client) => {
      if (client.id === "vedette.control-plane") packets.push(subscriptions.map(({ topic }) => topic));
    });
  };
  note();
  const { broker } = await start();
  await until(() => expect(packets).toHaveLength(9));
  await killSomeones();
  await until(() => expect(broker.connected).toBe(false));
  await startSomeones();
  note();
  await until(() => expect(packets).toHaveLength(18));
  expect(packets.every((topics) => topics.length === 1)).toBe(true);
  expect(new Set(packets.slice(9).flat()).size).toBe(9);
});

test("[Q52] an answer that finds the broker gone is not kept for later", async () => {
  const asked = Promise.withResolvers<void>();
  const gate = Promise.withResolvers<void>();
  const { fleet } = fakeFleet({
    answer: async (_, request) => {
      asked.resolve();
      if (request.id.startsWith("0")) await gate.promise;
      return request.id;
    },
  });
  const { broker } = await start(chunkStore(), { fleet });
  const ask = async (id: string) => {
    const device = await connected(port, "dev");
    await device.subscribeAsync(names.response("dev"), { qos: 0 });
    const request = { id, kind: "manifest", digest: "0".repeat(64) };
    await device.publishAsync(names.request("dev"), JSON.stringify(request), { qos: 1 });
    return device;
  };
  await born();
  await ask("0".repeat(16));
  await asked.promise;
  await killSomeones();
  await until(() => expect(broker.connected).toBe(false));
  gate.resolve();
  await startSomeones();
  await born();
  const later = await ask("1".repeat(16));
  await until(() => expect(later.inbox).toHaveLength(1));
  expect(JSON.parse(String(later.inbox[0]?.payload)).text).toBe("1".repeat(16));
});

test("[Q53] a broker that refuses the login for a while is tried on", async () => {
  let tries = 0;
  aedes.authenticate = (client, _, __, done) => done(null, client.id !== "vedette.control-plane" || ++tries > 1);
  const { broker } = await start();
  await until(() => expect(broker.connected).toBe(true));
  expect(tries).toBe(2);
});

test("[Q54] a device whose farewell died with its broker is gone 2.5 heartbeats after its last sign of life", async () => {
  const db = await openDatabase(":memory:");
  const hand = manualClock();
  const presence = createPresence({ db, clock: hand, logger: silentLogger });
  onTestFinished(async () => {
    await presence.close();
    await db.close();
  });
  const { fleet } = fakeFleet({ presence: async (agent, on, sid) => presence.said(agent, on, sid) });
  const { broker } = await start(chunkStore(), { fleet });
  await born();
  const payload = Buffer.from('{"on":0,"sid":1}');
  const device = await connected(port, "dev", {
    will: { topic: names.presence("dev"), payload, qos: 1, retain: false },
  });
  await device.publishAsync(names.presence("dev"), '{"on":1,"sid":1}', { qos: 1 });
  await until(() => expect(presence.online("dev")).toBe(true));
  await killSomeones();
  await until(() => expect(broker.connected).toBe(false));
  await startSomeones();
  await born();
  hand.set(noon + 150_000);
  expect(presence.online("dev")).toBe(true);
  hand.set(noon + 150_001);
  expect(presence.online("dev")).toBe(false);
});
