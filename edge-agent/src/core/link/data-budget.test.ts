import { expect, it } from "vitest";
import { createManualClock, createMemoryDisk, createMemoryLogger } from "../../sim/memory-ports.ts";
import { createDevice, wall } from "../test/harness.ts";
import { openDataBudget } from "./data-budget.ts";

const dayMs = 86_400_000;

async function open(limit: number | null, disk = createMemoryDisk(), now = wall) {
  const clock = createManualClock(now);
  const bytes = { sent: 0, received: 0 };
  const log = createMemoryLogger();
  const budget = await openDataBudget({ storage: disk.start(), clock, transport: { bytes }, log, limit });
  return { budget, bytes, clock, disk, log };
}

it("[D10] gives room up to the limit, counts what is under way, and says when there is room again", async () => {
  const { budget, bytes, clock } = await open(100_000);
  bytes.received = 50_000;
  const first = budget.take(40_000);
  expect(() => budget.take(40_000)).toThrow("(0.1 MB of 0.1 MB a day are used)");
  first();
  bytes.received = 90_512;
  expect(() => budget.take(40_000)).toThrow(new Date(wall + dayMs).toISOString());
  await clock.advance(dayMs);
  budget.take(40_000)();
  expect(budget.use).toMatchObject({ bytes: 0, since: wall + dayMs });
  expect(() => budget.take(200_000)).toThrow("raise it");
});

it("[D10] goes on counting after a restart, and forgets little at a kill", async () => {
  const { budget, bytes, disk } = await open(1_000_000);
  bytes.sent = 700_000;
  await budget.close();
  const again = await open(1_000_000, disk, wall + 1000);
  expect(again.budget.use.bytes).toBe(700_000);
  again.bytes.received = 280_000;
  await again.clock.advance(60_000);
  disk.kill();
  expect((await open(1_000_000, disk, wall + 2000)).budget.use.bytes).toBe(980_000);
});

it("[D10] a clock that is set back gives no second day", async () => {
  const { budget, bytes, disk } = await open(1_000_000);
  bytes.sent = 900_000;
  await budget.close();
  const back = await open(1_000_000, disk, wall - 100 * dayMs);
  expect(back.budget.use).toMatchObject({ bytes: 900_000, since: wall - 100 * dayMs });
});

it("[D11] over its budget a device fetches no model, says so and until when, follows all else, and then goes on", async () => {
  const { peer, start } = createDevice();
  const first = peer.publish("rain", 1, { scale: 2 });
  const run = await start({ dataBytesPerDay: 8_000 });
  peer.assign(first);
  await run.connect();
  const candidate = { state: "fetching", reason: "data_budget", why: expect.stringContaining("2026-01-02T00:00") };
  expect(run.slot()).toMatchObject({ serving: null, candidate });
  const reported = peer.reports.at(-1);
  expect(reported?.slots[0]).toMatchObject({ candidate });
  expect(reported?.data).toMatchObject({ limit: 8_000, until: wall + dayMs });
  const asked = peer.asked.length;
  await run.clock.advance(3_600_000);
  expect(peer.asked.length).toBe(asked);
  // A revocation comes through all the same.
  peer.floors = { rain: 2 };
  peer.assign();
  await run.clock.advance(500);
  expect(run.slot()?.candidate).toBeNull();
  peer.floors = {};
  peer.assign(first);
  await run.clock.advance(dayMs);
  expect(run.slot()?.candidate?.state).toBe("probation");
});

it("[D12] an idle device says less than 600 kB a day, a report an hour among it", async () => {
  const { peer, start } = createDevice();
  peer.assign(peer.publish("rain", 1, { scale: 2 }));
  const run = await start();
  await run.connect();
  await run.clock.advance(60_000);
  const before = run.transport.bytes.sent + run.transport.bytes.received;
  const reports = peer.reports.length;
  await run.clock.advance(dayMs);
  expect(run.transport.bytes.sent + run.transport.bytes.received - before).toBeLessThan(600_000);
  expect(peer.reports.length - reports).toBeLessThanOrEqual(24);
});
