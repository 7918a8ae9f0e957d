import { type AddressInfo, createServer, type Server, type Socket } from "node:net";
import { codeOf } from "@vedette/protocol/errors";
import { Aedes, type AedesPublishPacket } from "aedes";
import { afterEach, beforeEach, expect, test, vi } from "vitest";
import type { Logger } from "../core/ports.ts";
import { createMqttTransport } from "./mqtt-transport.ts";
import { systemClock } from "./system-clock.ts";

const silent: Logger = { info: () => undefined, warn: () => undefined, error: () => undefined };
const presence = "vd1/site/a/dev/presence";
let broker: Aedes;
let server: Server;
let sockets: Socket[];
let published: AedesPublishPacket[];
let passwords: string[];
let accept: boolean;
let stop: (() => Promise<void>)[];

beforeEach(async () => {
  broker = await Aedes.createBroker();
  published = [];
  passwords = [];
  accept = true;
  stop = [];
  broker.authenticate = (client, username, password, done) => {
    passwords.push(`${client.id}/${username}/${password}`);
    done(null, accept);
  };
  broker.authorizeSubscribe = (_, subscription, done) =>
    done(null, subscription.topic.includes("secret") ? null : subscription);
  broker.on("publish", (packet, client) => {
    if (client || packet.topic === presence) published.push(packet);
  });
  sockets = [];
  server = createServer((socket) => {
    sockets.push(socket);
    broker.handle(socket);
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
});
afterEach(async () => {
  for (const close of stop) await close();
  await new Promise<void>((resolve) => broker.close(() => resolve()));
  await new Promise((resolve) => server.close(resolve));
});

function start(log: Logger = silent, capMs = 80, answerWithinMs = 5_000) {
  const url = `mqtt://127.0.0.1:${(server.address() as AddressInfo).port}`;
  let n = 0;
  const events: string[] = [];
  const transport = createMqttTransport({
    agent: "dev",
    presenceTopic: presence,
    credentials: async () => ({ url, time: 1_000 * (n + 1), password: `token-${++n}` }),
    clock: systemClock,
    random: { bytes: (length) => new Uint8Array(length), unit: () => 0 },
    log,
    backoff: { firstMs: 20, capMs },
    answerWithinMs,
  });
  stop.push(() => transport.close());
  transport.start({
    up: () => events.push("up"),
    down: () => events.push("down"),
    session: async (at) => ({ sid: at / 1_000, will: JSON.stringify({ on: 0, sid: at / 1_000 }) }),
    message: (topic, payload) => events.push(`${topic} ${Buffer.from(payload)}`),
  });
  return { transport, events };
}
const until = (check: () => void) => vi.waitFor(check, { timeout: 5_000, interval: 5 });

test("connects as the agent with a token, publishes, subscribes to one exact topic, and counts bytes", async () => {
  const { transport, events } = start();
  await until(() => expect(events).toEqual(["up"]));
  expect(passwords).toEqual(["dev/dev/token-1"]);
  await transport.subscribe("vd1/site/cp", 1);
  await transport.publish("vd1/site/cp", "hello", { qos: 1 });
  await until(() => expect(events).toContain("vd1/site/cp hello"));
  expect(published.find(({ topic }) => topic === "vd1/site/cp")?.retain).toBe(false);
  expect(transport.bytes.sent).toBeGreaterThan(50);
  expect(transport.bytes.received).toBeGreaterThan(10);
  await transport.unsubscribe("vd1/site/cp");
  await transport.publish("vd1/site/cp", "unheard", { qos: 1 });
  expect(events.join()).not.toContain("unheard");
});

test("a lost connection is told, and another is made with a fresh token and session; nothing is subscribed by itself", async () => {
  const { transport, events } = start();
  await until(() => expect(events).toEqual(["up"]));
  await transport.subscribe("vd1/site/cp", 0);
  const before = { sid: transport.sid, sent: transport.bytes.sent };
  sockets[0]?.destroy();
  await until(() => expect(events).toEqual(["up", "down", "up"]));
  expect(passwords.at(-1)).toBe("dev/dev/token-2");
  expect(transport.sid).toBeGreaterThan(before.sid);
  expect(transport.bytes.sent).toBeGreaterThan(before.sent);
  await transport.publish("vd1/site/cp", "late", { qos: 1 });
  expect(events).toEqual(["up", "down", "up"]);
});

test("the will says which session died, and is not retained", async () => {
  const { transport, events } = start();
  await until(() => expect(events).toEqual(["up"]));
  const { sid } = transport;
  sockets[0]?.destroy();
  await until(() => expect(published.some(({ topic }) => topic === presence)).toBe(true));
  const will = published.find(({ topic }) => topic === presence);
  expect(JSON.parse(String(will?.payload))).toEqual({ on: 0, sid });
  expect(will).toMatchObject({ qos: 1, retain: false });
});

test("[Q56] a broker that leaves something unanswered is left for a new connection", async () => {
  const { transport, events } = start(silent, 80, 100);
  await until(() => expect(events).toEqual(["up"]));
  const answer = broker.authorizeSubscribe;
  broker.authorizeSubscribe = () => undefined; // never answered, though pings are
  expect(await transport.subscribe("vd1/site/cp", 0).catch(codeOf)).toBe("offline");
  broker.authorizeSubscribe = answer;
  await until(() => expect(events).toEqual(["up", "down", "up"]));
  await transport.subscribe("vd1/site/cp", 0);
});

test("what is asked without a connection, or when it is lost, is rejected as offline", async () => {
  const { transport, events } = start();
  expect(await transport.publish("vd1/site/cp", "x", { qos: 1 }).catch(codeOf)).toBe("offline");
  await until(() => expect(events).toEqual(["up"]));
  broker.authorizePublish = () => undefined; // never answered
  const waiting = transport.publish("vd1/site/cp", "x", { qos: 1 }).catch(codeOf);
  await new Promise((resolve) => setTimeout(resolve, 20));
  sockets[0]?.destroy();
  expect(await waiting).toBe("offline");
});

test("a refused subscription and a payload over the limit are said as such", async () => {
  const { transport, events } = start();
  await until(() => expect(events).toEqual(["up"]));
  expect(await transport.subscribe("vd1/site/secret", 0).catch(codeOf)).toBe("forbidden");
  expect(await transport.publish("vd1/site/cp", new Uint8Array(120 * 1024 + 1), { qos: 0 }).catch(codeOf)).toBe(
    "too_large",
  );
});

test("a refused token is tried anew with back-off until it is taken", async () => {
  accept = false;
  const { events } = start();
  await until(() => expect(passwords.length).toBeGreaterThanOrEqual(3));
  accept = true;
  await until(() => expect(events).toEqual(["up"]));
  expect(new Set(passwords).size).toBe(passwords.length);
});

test("a close says DISCONNECT: no will, and no other try", async () => {
  const { transport, events } = start();
  await until(() => expect(events).toEqual(["up"]));
  await transport.close();
  await new Promise((resolve) => setTimeout(resolve, 60));
  expect(published.some(({ topic }) => topic === presence)).toBe(false);
  expect(passwords).toHaveLength(1);
  expect(transport.connected).toBe(false);
});

test("two agents of one identity throw each other out ever more rarely, and say what is likely", async () => {
  const warned: string[] = [];
  const log: Logger = { ...silent, warn: (event, fields) => warned.push(`${event} ${JSON.stringify(fields)}`) };
  start(log, 60_000);
  start(log, 60_000);
  await until(() => expect(warned.join()).toMatch(/session\.taken_over.*another process uses this identity/));
  const before = passwords.length;
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(passwords.length - before).toBeLessThan(12); // 20 ms without back-off would be fifty
});

test("[Q51] each topic is subscribed by a packet of its own", async () => {
  const packets: string[][] = [];
  broker.on("subscribe", (subscriptions) => packets.push(subscriptions.map(({ topic }) => topic)));
  const { transport, events } = start();
  await until(() => expect(events).toEqual(["up"]));
  const topics = ["vd1/site/cp", "vd1/site/a/dev/res", "vd1/site/a/dev/desired"];
  await Promise.all(topics.map((topic) => transport.subscribe(topic, 0)));
  expect(packets).toEqual(topics.map((topic) => [topic]));
});

test("[Q52] what was said without a connection is not said later", async () => {
  const { transport, events } = start();
  const early = transport.publish("vd1/site/a/dev/hb", "early", { qos: 0 }).catch(codeOf);
  await until(() => expect(events).toEqual(["up"]));
  sockets[0]?.destroy();
  const between = transport.publish("vd1/site/a/dev/hb", "between", { qos: 0 }).catch(codeOf);
  await until(() => expect(events).toEqual(["up", "down", "up"]));
  await transport.publish("vd1/site/a/dev/hb", "late", { qos: 0 });
  await until(() => expect(published.some(({ payload }) => String(payload) === "late")).toBe(true));
  expect(await early).toBe("offline");
  await between;
  expect(published.filter(({ payload }) => ["early", "between"].includes(String(payload)))).toEqual([]);
});
