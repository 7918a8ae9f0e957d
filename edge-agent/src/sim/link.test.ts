import { fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { expect, test } from "vitest";
import { createLink, type LinkPeer, type LinkSession, noFaults } from "./link.ts";
import { createManualClock, createSeededRandom, settle } from "./memory-ports.ts";
import { slowStorage, startProcess } from "./process.ts";

function rig() {
  const world = createManualClock();
  const heard: string[] = [];
  const sessions: LinkSession[] = [];
  const peer: LinkPeer = {
    accepted: (session) => void sessions.push(session),
    closed() {},
    published: (_, topic, payload) => void heard.push(`${topic} ${fromUtf8(payload)}`),
    subscribed() {},
  };
  const state = { up: true };
  const link = createLink({
    agent: "a",
    presenceTopic: "presence",
    world,
    random: createSeededRandom(3),
    peer: () => (state.up ? peer : undefined),
  });
  const process = startProcess(world, () => 0);
  const transport = link.transport(process);
  const events: string[] = [];
  let sid = 0;
  transport.start({
    session: async () => ({ sid: ++sid, will: `gone ${sid}` }),
    up: () => events.push("up"),
    down: () => events.push("down"),
    message: (topic, payload) => events.push(`${topic} ${fromUtf8(payload)}`),
  });
  return { world, link, process, transport, heard, sessions, events, state };
}

test("messages of a topic come in order, at QoS 1 all of them, doubled or not", async () => {
  const { world, link, transport, heard, events } = rig();
  await world.advance(2_000);
  expect(events).toEqual(["up"]);
  link.faults = { ...noFaults, loss: 1, duplicate: 0.5, delayMs: 500 };
  const sent = Array.from({ length: 20 }, (_, i) => transport.publish("t", `${i}`.padStart(2, "0"), { qos: 1 }));
  void transport.publish("t", "lost", { qos: 0 });
  await world.advance(5_000);
  await Promise.all(sent);
  expect([...new Set(heard)]).toEqual(Array.from({ length: 20 }, (_, i) => `t ${`${i}`.padStart(2, "0")}`));
  expect(heard).toEqual([...heard].sort());
  expect(heard.length).toBeGreaterThan(20);
});

test("a broken connection fails what waits, and is made anew while there is a broker", async () => {
  const { world, link, transport, heard, events, state } = rig();
  await world.advance(2_000);
  const waiting = transport.publish("t", "x", { qos: 1 });
  link.cut();
  await expect(waiting).rejects.toMatchObject({ code: "offline" });
  expect(heard).toEqual(["presence gone 1"]);
  state.up = false;
  await world.advance(60_000);
  expect([events, transport.connected]).toEqual([["up", "down"], false]);
  state.up = true;
  await world.advance(60_000);
  expect([events, transport.connected]).toEqual([["up", "down", "up"], true]);
});

test("a changed message is never taken for the one that was sent", async () => {
  const { world, link, sessions, events } = rig();
  await world.advance(2_000);
  link.faults = { ...noFaults, corrupt: 1 };
  const payload = Buffer.from('{"upTo":3}');
  for (let i = 0; i < 50; i++) sessions[0]?.send("t", payload, 1);
  await expect(world.advance(1_000)).rejects.toThrow(TypeError); // no UTF-8 any more
  expect([events, payload.toString()]).toEqual([["up"], '{"upTo":3}']);
});

test("a dead process has no timers, hears nothing and its disk is not written late", async () => {
  const { world, link, process, sessions, events } = rig();
  await world.advance(2_000);
  const calls: string[] = [];
  process.clock.after(10, () => calls.push("called"));
  const storage = {
    bootId: "b",
    read: async () => undefined,
    write: async () => void calls.push("written"),
    list: async () => [],
    remove: async () => {},
    settle: async () => {},
    append: () => Promise.reject(new Error("not asked for")),
  };
  const never = createSeededRandom(1);
  const slow = slowStorage(storage, process.clock, { ...never, unit: () => 0.9 }, 100);
  void slow.write("a", utf8("x"));
  sessions[0]?.send("t", "hello", 1);
  process.end();
  link.cut();
  await world.advance(10_000);
  await settle();
  expect([calls, events, process.waiting]).toEqual([[], ["up"], 0]);
});
