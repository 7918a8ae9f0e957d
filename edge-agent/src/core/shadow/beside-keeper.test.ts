/** A version beside the one that answers, on the whole core: how it comes, stands and goes. */
import { topics } from "@vedette/protocol/topics";
import { expect, it } from "vitest";
import { agentName, site } from "../test/fake-peer.ts";
import { createDevice } from "../test/harness.ts";
import { ask, shadowed } from "../test/shadowed.ts";

it("[S50] is fetched, verified and proven like any version, and answers nothing", async () => {
  const { run, first, second, peer } = await shadowed({ scale: 3 });
  expect(run.slot()).toMatchObject({
    serving: { digest: first.digest },
    candidate: null,
    beside: { digest: second.digest, release: 2, state: "asking", answering: first.digest, pairs: 0, skipped: 0 },
  });
  expect(await ask(run, 3)).toEqual([2, 4, 6]);
  await run.clock.advance(60_000);
  expect(run.slot()?.beside).toMatchObject({ pairs: 3, skipped: 0 });
  expect(peer.parcels).toHaveLength(1);
  const [parcel] = peer.parcels;
  expect(parcel).toMatchObject({
    model: "rain",
    answering: first.digest,
    beside: second.digest,
    window: { n: 0 },
    counts: {
      rows: 3,
      skipped: 0,
      fit: [3, 0, 0, 0],
      agreed: 0,
      value: { n: 3, sum: 6, sumSquares: 14 },
      confidence: null,
    },
    omitted: 0,
  });
  expect(parcel?.disagreements.map(({ says }) => says)).toEqual([3, 6, 9]);
  expect(parcel?.disagreements.map(({ id }) => id.split(".")[1])).toEqual(["3", "4", "5"]);
  expect(run.log.entries.filter(({ level }) => level === "error")).toEqual([]);
});

it("[S50] that fails its proof is rejected with its reason, and its files go", async () => {
  const { run, second, disk } = await shadowed({ scale: 3, claims: 4 });
  expect(run.slot()?.beside).toMatchObject({ state: "rejected", reason: "proof_failed", pairs: 0 });
  expect(run.slot()?.beside?.why).toMatch(/published was/);
  expect(await ask(run, 2)).toEqual([2, 4]);
  expect(disk.paths()).not.toContain(`manifests/${second.digest}.json`);
  expect(run.loaded).toEqual([2]);
});

it("[S53] goes where it is not assigned any more: its memory and files are given back, what it found is sent", async () => {
  const { run, peer, first, second, disk } = await shadowed({ scale: 3 });
  await ask(run, 2);
  expect(run.loaded).toEqual([2, 3]);
  peer.assign(first);
  await run.clock.advance(1000);
  expect(run.loaded).toEqual([2]);
  expect(run.slot()?.beside).toBeUndefined();
  expect(disk.paths()).not.toContain(`manifests/${second.digest}.json`);
  expect(peer.parcels.map(({ counts }) => counts.rows)).toEqual([2]);
  await run.clock.advance(1000);
  expect(disk.paths().filter((path) => path.startsWith("shadow/"))).toEqual([]);
});

it("[S54] becomes the one that answers without a byte fetched again, and the former is asked beside it from the disk", async () => {
  const { run, peer, first, second } = await shadowed({ scale: 3 });
  await ask(run, 2);
  peer.blobs.clear();
  peer.manifests.clear();
  peer.assignBeside(second, first);
  await run.clock.advance(1000);
  expect(await ask(run, 5)).toEqual([3, 6, 9, 12, 15]);
  expect(run.slot()).toMatchObject({
    serving: { digest: second.digest },
    previous: { digest: first.digest },
    beside: { digest: first.digest, state: "asking", answering: second.digest, pairs: 5 },
  });
  await run.clock.advance(60_000);
  expect(peer.parcels.map(({ answering, counts }) => [answering, counts.rows])).toEqual([
    [first.digest, 2],
    [second.digest, 5],
  ]);
  // Roll back: the overlay goes, and what answered before answers again.
  peer.assign(first);
  await run.clock.advance(1000);
  expect(await ask(run, 4)).toEqual([2, 4, 6, 8]);
  expect(run.loaded).toEqual([2]);
});

it("[S55] after a restart without a network it is asked on, from the disk, and no row is counted twice", async () => {
  const { run, disk, start, peer, second } = await shadowed({ scale: 3 });
  await ask(run, 4);
  await run.agent.stop();
  disk.kill();
  const next = await start();
  expect(next.slot()?.beside).toMatchObject({ pairs: 4 });
  expect(await ask(next, 1)).toEqual([2]);
  await next.clock.advance(2000);
  expect(next.slot()?.beside).toMatchObject({ digest: second.digest, state: "asking", pairs: 4 });
  await ask(next, 3);
  await next.clock.advance(600_000);
  expect(peer.parcels).toEqual([]);
  await next.connect();
  await next.clock.advance(5000);
  const rows = peer.parcels.map(({ counts }) => counts.rows);
  expect(rows.reduce((sum, each) => sum + each, 0)).toBe(7);
  const keys = peer.parcels.map(({ window }) => `${window.epoch}.${window.n}`);
  expect(new Set(keys).size).toBe(keys.length);
});

it("[S56] processes that die while it is loaded or asked are counted, and the fourth does not begin with it", async () => {
  const { run, disk, start, peer, first } = await shadowed({ scale: 3 });
  disk.kill();
  run.transport.disconnect();
  for (let i = 1; i < 3; i++) {
    const boot = await start();
    expect(await ask(boot, 1)).toEqual([2]);
    await boot.clock.advance(1000);
    expect(boot.slot()?.beside).toMatchObject({ state: "asking" });
    disk.kill();
  }
  const last = await start();
  expect(await ask(last, 1)).toEqual([2]);
  await last.clock.advance(1000);
  expect(last.slot()).toMatchObject({
    serving: { digest: first.digest },
    beside: { state: "rejected", reason: "crash_loop", why: expect.stringMatching(/3 processes/) },
  });
  expect(last.loaded).toEqual([2]);
  await last.connect();
  await last.clock.advance(1000);
  expect(peer.reports.at(-1)?.slots[0]?.beside).toMatchObject({ state: "rejected", reason: "crash_loop" });
});

it.each([
  ["that stood for a while", 601_000, false],
  ["whose process ended cleanly", 1_000, true],
])("[S56] one %s is in no crash loop", async (_, stoodMs, cleanly) => {
  const { run, disk, start } = await shadowed({ scale: 3 });
  disk.kill();
  run.transport.disconnect();
  for (let i = 0; i < 6; i++) {
    const boot = await start();
    await ask(boot, 1);
    await boot.clock.advance(stoodMs);
    expect(boot.slot()?.beside).toMatchObject({ state: "asking" });
    if (cleanly) await boot.agent.stop();
    disk.kill();
  }
});

it("[S56] is not loaded before the one that answers has stood, so that no death is laid at the wrong door", async () => {
  const { run, disk, start } = await shadowed({ scale: 3 });
  await run.agent.stop();
  disk.kill();
  const boot = await start();
  await boot.clock.advance(1000);
  expect(boot.loaded).toEqual([2]);
  await ask(boot, 1);
  expect(boot.loaded).toEqual([2, 3]);
});

it("asks nothing, and listens for nothing, where nothing is assigned beside", async () => {
  const device = createDevice();
  device.peer.assign(device.peer.publish("rain", 1, { scale: 2 }));
  const run = await device.start();
  await run.connect();
  await ask(run, 5);
  expect(device.peer.subscriptions.filter((each) => each.endsWith("/sack"))).toEqual([]);
  expect(device.disk.paths().filter((path) => path.startsWith("shadow/"))).toEqual([]);
});

it("[A15] where the device has no memory for both, it is not loaded, which is said and tried again; answers go on", async () => {
  const { run, second, peer } = await shadowed({ scale: 3 }, 1, 1.5e9);
  expect(run.slot()).toMatchObject({
    serving: { release: 1 },
    beside: {
      digest: second.digest,
      reason: "lacks_memory",
      why: "lacks memory for both: up to 954 MiB beside 954 MiB (has 1431 MiB)",
      pairs: 0,
    },
  });
  expect(await ask(run, 3)).toEqual([2, 4, 6]);
  await run.clock.advance(700_000);
  // No process begins with it, so none is blamed on it.
  expect(run.slot()?.beside).toMatchObject({ state: "verified", reason: "lacks_memory" });
  expect(run.loaded).toEqual([2]);
  expect(peer.parcels).toEqual([]);
});

it("[A15] what answers goes first: a version that is asked gives its memory back, and has it again when there is room", async () => {
  const { run, first, second, peer } = await shadowed({ scale: 3 }, 1, 2.5e9);
  expect(await ask(run, 2)).toEqual([2, 4]);
  expect(run.loaded).toEqual([2, 3]);
  const wind = peer.publish("wind", 1, { scale: 5 });
  const beside = { digest: second.digest, length: second.length, release: 2, sample: 1 };
  const bothModels = () => {
    peer.assignSilently(first, wind);
    peer.slots = peer.slots.map((slot) => (slot.model === "rain" ? { ...slot, beside } : slot));
    peer.retain(topics(site).desired(agentName), JSON.stringify({ rev: peer.rev }));
  };
  bothModels();
  await run.clock.advance(2000);
  expect(run.loaded.toSorted()).toEqual([2, 5]);
  expect(run.slot()?.beside).toMatchObject({ digest: second.digest, reason: "lacks_memory" });
  expect((await run.predict(2, "wind"))?.value).toBe(10);
  expect(await ask(run, 2)).toEqual([2, 4]);
  await run.clock.advance(60_000);
  peer.assignBeside(first, second);
  await run.clock.advance(1000);
  expect(run.loaded.toSorted()).toEqual([2, 3]);
  expect(run.slot()?.beside?.reason).toBeUndefined();
  await ask(run, 3);
  expect(run.slot()?.beside).toMatchObject({ state: "asking", pairs: 5 });
  // What it found before is not lost, nor told twice.
  await run.clock.advance(120_000);
  expect(peer.parcels.reduce((sum, { counts }) => sum + counts.rows, 0)).toBe(5);
});
