/** From a device's PUBLISH to a row of the lake, through the real broker, inbox and lake. */
import { expect, onTestFinished, test, vi } from "vitest";
import { epoch, makeFrame, testFolder, testKeys } from "../../test/batches.ts";
import { connected, names, testBroker } from "../../test/broker.ts";
import { silentLogger } from "../../test/clock.ts";
import { openLake } from "../lake/open-lake.ts";
import { systemClock } from "../system-clock.ts";

test("batches of several devices, sent again after a break, are acknowledged and stored once", async () => {
  const { lake, ingestion, close } = await openLake({
    folder: testFolder(),
    clock: systemClock,
    logger: silentLogger,
    deviceKeys: testKeys,
  });
  onTestFinished(close);
  const { broker } = await testBroker({ ingestion });
  const send = async (agent: string) => {
    const frames = Array.from({ length: 10 }, (_, seq) => makeFrame({ agent, seq }));
    const first = await connected(broker.port, agent);
    for (const frame of frames.slice(0, 6))
      first.publish(names.log(agent, "rain"), Buffer.from(frame), { qos: 1 }, () => {});
    first.stream.destroy();
    const second = await connected(broker.port, agent);
    await second.subscribeAsync(names.ack(agent, "rain"));
    for (const frame of frames) await second.publishAsync(names.log(agent, "rain"), Buffer.from(frame), { qos: 1 });
    await vi.waitFor(() => expect(second.inbox).toHaveLength(10), { timeout: 5000 });
    expect(JSON.parse(String(second.inbox.at(-1)?.payload))).toEqual({ epoch, upTo: 9, also: [] });
  };
  await Promise.all(["dev-1", "dev-2", "dev-3"].map(send));
  const sql = "SELECT agent, count(*), count(DISTINCT id), max(n) FROM predictions GROUP BY agent ORDER BY agent";
  expect((await lake.query({ sql, limit: 10 })).rows).toEqual([
    ["dev-1", 30, 30, 29],
    ["dev-2", 30, 30, 29],
    ["dev-3", 30, 30, 29],
  ]);
});

test("a forged batch is refused by name, and garbage is counted", async () => {
  const { ingestion, close } = await openLake({
    folder: testFolder(),
    clock: systemClock,
    logger: silentLogger,
    deviceKeys: testKeys,
  });
  onTestFinished(close);
  const { broker } = await testBroker({ ingestion });
  const rogue = await connected(broker.port, "rogue");
  await rogue.subscribeAsync(names.ack("rogue", "rain"));
  await rogue.publishAsync(names.log("rogue", "rain"), Buffer.from(makeFrame({ agent: "victim", seq: 4 })), { qos: 1 });
  await vi.waitFor(() => expect(rogue.inbox).toHaveLength(1), { timeout: 5000 });
  expect(JSON.parse(String(rogue.inbox[0]?.payload))).toMatchObject({ epoch, reject: 4 });
  await rogue.publishAsync(names.log("rogue", "rain"), Buffer.from("garbage"), { qos: 1 });
  await vi.waitFor(() => expect(broker.counters().malformed).toBe(1), { timeout: 5000 });
  expect(await ingestion.stored("victim", [{ stream: "rain", epoch }])).toMatchObject([{ upTo: -1 }]);
});
