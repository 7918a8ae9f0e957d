/** What a version does after its probation, and what becomes of it: without the network. */
import { expect, it } from "vitest";
import type { FakeModel } from "./test/fake-peer.ts";
import { createDevice, wall } from "./test/harness.ts";

/** Runs of a version's proof and of its probation in `installed`. */
const runsBefore = 15 + 3;

/** A device on which release 2 serves, release 1 is the one before, and the network is gone. */
async function installed(later?: Omit<NonNullable<FakeModel["later"]>, "afterRuns">) {
  const device = createDevice();
  const { peer } = device;
  const first = peer.publish("rain", 1, { scale: 2 });
  const second = peer.publish("rain", 2, { scale: 3, ...(later && { later: { afterRuns: runsBefore, ...later } }) });
  const run = await device.start();
  await run.connect();
  for (const version of [first, second]) {
    peer.assign(version);
    await run.clock.advance(500);
    for (let i = 0; i < 3; i++) await run.predict(1);
    await run.clock.advance(10);
  }
  expect(run.slot()).toMatchObject({ serving: { release: 2 }, previous: { release: 1 }, candidate: null });
  run.transport.disconnect();
  return { ...device, run, first, second };
}

it.each([
  ["throws", "exceptions", "throw" as const],
  ["answers NaN", "not_a_number", "nan" as const],
])("[V13] that %s again and again gives way to the one before, without the network", async (_, reason, answer) => {
  const { run, second } = await installed({ answer });
  for (let i = 0; i < 5; i++) expect(await run.predict(1)).toMatchObject({ source: "none", reason: "exception" });
  await run.clock.advance(10);
  expect(await run.predict(1)).toMatchObject({ source: "model", value: 2 });
  const candidate = { digest: second.digest, state: "rejected", reason, why: expect.stringMatching(/threw|NaN/) };
  expect(run.slot()).toMatchObject({ serving: { release: 1 }, previous: null, candidate });
});

it("[V13] that is too slow for good gives way to the one before", async () => {
  const { run } = await installed({ answer: "slow" });
  for (let i = 0; i < 20; i++) await run.predict(1);
  await run.clock.advance(10);
  expect(await run.predict(1)).toMatchObject({ source: "model", value: 2 });
  expect(run.slot()).toMatchObject({ serving: { release: 1 }, candidate: { reason: "latency_budget" } });
});

it("[V13] that fails on what it is asked, and answers its golden vectors, stays", async () => {
  const { run } = await installed({ answer: "throw", forRuns: 5 });
  for (let i = 0; i < 5; i++) await run.predict(1);
  await run.clock.advance(10);
  expect(await run.predict(1)).toMatchObject({ source: "model", value: 3 });
  expect(run.slot()).toMatchObject({ serving: { release: 2 }, candidate: null });
  expect(run.log.entries.map(({ event }) => event)).toContain("model.doubted_but_sound");
});

it("[V14] whose processes die before they answer gives way to the one before at the fourth boot", async () => {
  const { run, disk, start } = await installed();
  await run.agent.stop();
  for (let i = 0; i < 3; i++) {
    const boot = await start();
    expect(boot.slot()).toMatchObject({ serving: { release: 2 } });
    disk.kill();
  }
  const last = await start();
  expect(last.slot()).toMatchObject({
    serving: { release: 1 },
    candidate: { state: "rejected", reason: "crash_loop" },
  });
  expect(await last.predict(1)).toMatchObject({ source: "model", value: 2 });
});

it("[V14] whose processes answer, or stand for a while, is in no crash loop however often they are killed", async () => {
  const { run, disk, start } = await installed();
  await run.agent.stop();
  for (let i = 0; i < 8; i++) {
    const boot = await start();
    if (i % 2 === 0) await boot.clock.advance(30_000);
    else expect(await boot.predict(1)).toMatchObject({ value: 3 });
    await boot.clock.advance(10);
    disk.kill();
  }
  expect((await start()).slot()).toMatchObject({ serving: { release: 2 }, candidate: null });
});

it("[V17] past its freshness deadline the ladder answers, and the device reports it by itself", async () => {
  const { peer, start } = createDevice();
  const freshUntil = new Date(wall + 3_600_000).toISOString();
  peer.assign(peer.publish("rain", 1, { scale: 2 }, (made) => ({ ...made, freshUntil })));
  const run = await start();
  await run.connect();
  for (let i = 0; i < 3; i++) expect(await run.predict(1)).toMatchObject({ value: 2 });
  await run.clock.advance(60_000);
  expect(peer.reports.at(-1)?.slots[0]?.stale).toBeUndefined();
  await run.clock.advance(3_600_000);
  expect(peer.reports.at(-1)?.slots[0]).toMatchObject({ serving: { release: 1 }, stale: true });
  expect(await run.predict(1)).toMatchObject({ source: "none", reason: "stale_model" });
});

it("[A17] the only version that there is is tried on, ever more rarely, however often its processes died", async () => {
  const { disk, peer, start } = createDevice();
  const only = peer.publish("rain", 1, { scale: 2 });
  peer.assign(only);
  const run = await start();
  await run.connect();
  run.transport.disconnect();
  const waits: number[] = [];
  for (let i = 0; i < 8; i++) {
    disk.kill();
    const boot = await start();
    let waited = 0;
    for (; boot.loaded.length === 0 && waited < 3_600_000; waited += 100) await boot.clock.advance(100);
    waits.push(waited);
    expect(boot.slot()?.candidate).toMatchObject({ state: "probation" });
  }
  // The first process and two more began at once; from then on each waits about twice as long as the one before.
  expect(waits.slice(0, 2).every((ms) => ms <= 100)).toBe(true);
  for (const [i, ms] of waits.slice(2).entries()) {
    expect(ms).toBeGreaterThanOrEqual(500 * 2 ** i);
    expect(ms).toBeLessThanOrEqual(1000 * 2 ** i + 200);
  }
  disk.kill();
  const last = await start();
  await last.clock.advance(1000);
  expect(await last.predict(1)).toMatchObject({ source: "none" });
  expect(last.slot()).toMatchObject({
    serving: null,
    candidate: { state: "probation", reason: "crash_loop", why: expect.stringContaining("next try is in") },
  });
  await last.clock.advance(3_600_000);
  for (let i = 0; i < 3; i++) expect(await last.predict(1)).toMatchObject({ source: "model", value: 2 });
  expect(last.slot()).toMatchObject({ serving: { release: 1 }, candidate: null });
});
