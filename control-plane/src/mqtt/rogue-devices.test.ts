/** Everything a rogue device was seen to try, against the real broker. */
import { once } from "node:events";
import { connect } from "node:net";
import type { IClientOptions } from "mqtt";
import { expect, test, vi } from "vitest";
import { WebSocket } from "ws";
import { connected, device, ended, fakeFleet, names, testBroker } from "../../test/broker.ts";
import { systemClock } from "../system-clock.ts";

const until = (check: () => void) => vi.waitFor(check, { timeout: 5000, interval: 5 });

test.each<[string, IClientOptions]>([
  ["a wrong password", { password: "bad" }],
  ["no password", { password: undefined as never }],
  ["a very long password", { password: "x".repeat(5000) }],
  ["another user name", { username: "other" }],
  ["no name", { clientId: "", username: "" }],
  ["a name that is none", { clientId: "../x", username: "../x" }],
  ["a session to be kept", { clean: false }],
  ["a retained will", { will: { topic: names.presence("rogue"), payload: Buffer.from("{}"), qos: 0, retain: true } }],
  [
    "a will on another's topic",
    { will: { topic: names.presence("dev"), payload: Buffer.from("{}"), qos: 0, retain: false } },
  ],
  [
    "a will on another topic",
    { will: { topic: names.reported("rogue"), payload: Buffer.from("{}"), qos: 0, retain: false } },
  ],
  ["MQTT 5", { protocolVersion: 5 }],
])("is not let in with %s", async (_, over) => {
  const { broker } = await testBroker();
  const client = device(`mqtt://127.0.0.1:${broker.port}`, "rogue", over);
  const entered = vi.fn();
  client.on("connect", entered);
  await ended(client);
  expect(entered).not.toHaveBeenCalled();
  expect(broker.connected()).toEqual([]);
});

test.each([
  "#",
  "+/+/+/+",
  "vd1/test/a/rogue/#",
  "vd1/test/a/+/desired",
  "$share/g/vd1/test/cp",
  "$SYS/#",
  names.desired("victim"),
  names.response("victim"),
  names.ack("victim", "rain"),
  names.reported("rogue"),
  names.log("rogue", "rain"),
  "vd1/other/cp",
  "vd1/test/blob/nohash",
])("[Q1] may not subscribe to %s", async (topic) => {
  const { broker } = await testBroker();
  const client = await connected(broker.port, "rogue");
  await expect(client.subscribeAsync(topic)).rejects.toThrow();
  expect(broker.connected()).toEqual(["rogue"]);
});

test.each([
  ["another's report", names.reported("victim"), {}],
  ["another's log", names.log("victim", "rain"), {}],
  ["its own hint", names.desired("rogue"), {}],
  ["a blob", names.blob("0".repeat(64)), {}],
  ["a birth", names.controlPlane, {}],
  ["a birth, retained", names.controlPlane, { retain: true }],
  ["its own report, retained", names.reported("rogue"), { retain: true }],
  ["QoS 2", names.reported("rogue"), { qos: 2 as const }],
  ["a log in a wrong partition", "vd1/test/log/99/rogue/rain", {}],
  ["$SYS", "$SYS/x", {}],
])("[Q1] is closed when it publishes %s, and nobody hears it", async (_, topic, options) => {
  const { fleet, heard } = fakeFleet();
  const { broker } = await testBroker({ fleet });
  const victim = await connected(broker.port, "victim");
  await victim.subscribeAsync(names.controlPlane, { qos: 1 });
  const rogue = await connected(broker.port, "rogue");
  const gone = ended(rogue);
  rogue.publish(topic, '{"on":false,"incarnation":"evil"}', options, () => {});
  await gone;
  const later = await connected(broker.port, "later");
  await later.subscribeAsync(names.controlPlane, { qos: 1 });
  await until(() => expect(later.inbox).toHaveLength(1));
  expect(
    [victim, later].map(({ inbox }) => inbox.map(({ payload }) => JSON.parse(String(payload)).incarnation)),
  ).toEqual([["born"], ["born"]]);
  expect(heard).toEqual([]);
});

test("a takeover needs the device's own token; then the older connection ends", async () => {
  const { broker } = await testBroker();
  const own = await connected(broker.port, "dev");
  const thief = device(`mqtt://127.0.0.1:${broker.port}`, "dev", { password: "bad" });
  await ended(thief);
  expect(own.connected).toBe(true);
  expect(broker.connected()).toEqual(["dev"]);
  const gone = ended(own);
  const newer = await connected(broker.port, "dev");
  await gone;
  expect(newer.connected).toBe(true);
  expect(broker.connected()).toEqual(["dev"]);
  await newer.subscribeAsync(names.desired("dev"), { qos: 1 });
  await broker.hint("dev", 1);
  await until(() => expect(newer.inbox).toHaveLength(1));
});

test("[Q3] the connection ends when its token does, and a retired device's at once", async () => {
  const { fleet } = fakeFleet({ authenticate: async (agent) => Date.now() + (agent === "short" ? 150 : 60_000) });
  const { broker } = await testBroker({ fleet });
  const short = await connected(broker.port, "short");
  const retired = await connected(broker.port, "retired");
  const start = performance.now();
  await ended(short);
  expect(performance.now() - start).toBeLessThan(2000);
  await until(() => expect(broker.connected()).toEqual(["retired"]));
  const gone = ended(retired);
  await broker.disconnect("retired");
  await gone;
});

test("an expired token does not let in", async () => {
  const { fleet } = fakeFleet({ authenticate: async () => Date.now() - 1 });
  const { broker } = await testBroker({ fleet });
  await ended(device(`mqtt://127.0.0.1:${broker.port}`, "dev"));
  expect(broker.connected()).toEqual([]);
});

test("[Q2] a large packet before login ends the connection at its header", async () => {
  const { broker } = await testBroker();
  const socket = connect(broker.port, "127.0.0.1");
  socket.on("error", () => {});
  // CONNECT that announces 256 MB, and no more of it.
  socket.write(Buffer.from([0x10, 0xff, 0xff, 0xff, 0x7f]));
  await once(socket, "close");
  expect(broker.counters().oversized).toBe(1);
});

test("[Q2] a packet over the limit after login ends the connection", async () => {
  const { broker } = await testBroker();
  const client = await connected(broker.port, "dev");
  const gone = ended(client);
  client.publish(names.heartbeat("dev"), Buffer.alloc(200 * 1024), { qos: 0 }, () => {});
  await gone;
  expect(broker.counters().oversized).toBe(1);
});

test("a websocket message over the limit, or without the subprotocol, ends the connection", async () => {
  const { broker } = await testBroker();
  const url = `ws://127.0.0.1:${broker.wsPort}`;
  const large = new WebSocket(url, "mqtt");
  await once(large, "open");
  large.send(Buffer.alloc(200 * 1024, 0x10));
  const [code] = await once(large, "close");
  expect([1006, 1009]).toContain(code);
  const plain = new WebSocket(url);
  const [error] = await once(plain, "error");
  expect(String(error)).toContain("400");
});

test("who says nothing, or speaks before CONNECT, is closed", async () => {
  const { broker } = await testBroker({ clock: systemClock, limits: { connectTimeoutMs: 200 } });
  const mute = connect(broker.port, "127.0.0.1");
  mute.on("error", () => {});
  const early = connect(broker.port, "127.0.0.1");
  early.on("error", () => {});
  early.write(Buffer.from([0xc0, 0x00]));
  await Promise.all([once(mute, "close"), once(early, "close")]);
});

test("over the number of connections, the newest is closed", async () => {
  const { broker } = await testBroker({ limits: { connections: 2 } });
  await connected(broker.port, "dev-1");
  await connected(broker.port, "dev-2");
  await ended(device(`mqtt://127.0.0.1:${broker.port}`, "dev-3"));
  expect(broker.connected()).toEqual(["dev-1", "dev-2"]);
});
