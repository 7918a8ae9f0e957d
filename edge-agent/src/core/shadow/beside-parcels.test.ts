/** What is sent of the answers of two versions, on the whole core. */
import type { Manifest } from "@vedette/protocol/bundle";
import { expect, it } from "vitest";
import { createDevice } from "../test/harness.ts";
import { ask, shadowed } from "../test/shadowed.ts";

it("[S55] a parcel is sent until it is answered, over restarts, and always the same", async () => {
  const { run, disk, start, peer } = await shadowed({ scale: 3 });
  peer.acksParcels = false;
  await ask(run, 3);
  await run.clock.advance(100_000);
  expect(peer.parcels.length).toBeGreaterThan(1);
  disk.kill();
  run.transport.disconnect();
  const next = await start();
  await next.connect();
  await next.clock.advance(1000);
  expect(new Set(peer.parcels.map((parcel) => JSON.stringify(parcel))).size).toBe(1);
  peer.acksParcels = true;
  await next.clock.advance(31_000);
  const sent = peer.parcels.length;
  await next.clock.advance(100_000);
  expect(peer.parcels).toHaveLength(sent);
});

it("[S68] no input is told, and no answer where the log policy withholds those", async () => {
  const device = createDevice();
  const { peer } = device;
  const withheld = (made: Manifest): Manifest => ({
    ...made,
    critical: ["log"],
    log: { ...made.log, outputs: { mode: "none" } },
  });
  const [first, second] = [peer.publish("rain", 1, { scale: 2 }), peer.publish("rain", 2, { scale: 3 }, withheld)];
  peer.assign(first);
  const run = await device.start();
  await run.connect();
  await ask(run, 4);
  peer.assignBeside(first, second);
  await run.clock.advance(1000);
  await ask(run, 3);
  await run.clock.advance(60_000);
  expect(peer.parcels).toHaveLength(1);
  const [parcel] = peer.parcels;
  expect(parcel).toMatchObject({ counts: { rows: 3, agreed: 0 }, disagreements: [], omitted: 3 });
  expect(Object.keys(parcel ?? {}).sort()).toEqual([
    "answering",
    "beside",
    "counts",
    "disagreements",
    "model",
    "omitted",
    "window",
  ]);
});

it("tells how far it is with each parcel, not only with the regular report", async () => {
  const { run, peer } = await shadowed({ scale: 3 });
  // A second, and the report's own delay: the regular one comes after half a minute.
  await ask(run, 200);
  await run.clock.advance(1000);
  expect(peer.parcels.map(({ counts }) => counts.rows)).toEqual([200]);
  expect(peer.reports.at(-1)?.slots[0]?.beside).toMatchObject({ pairs: 200 });
});

it("a parcel spans the answers that it is about, by the clock that their predictions are logged by", async () => {
  const { run, peer } = await shadowed({ scale: 3 });
  const first = run.clock.now();
  await ask(run, 3);
  const last = run.clock.now();
  await run.clock.advance(100_000);
  const { from, to } = peer.parcels[0]?.window ?? { from: 0, to: 0 };
  expect(from).toBeGreaterThanOrEqual(first);
  expect(to).toBeLessThanOrEqual(last);
  expect(to - from).toBeGreaterThan(5);
});
