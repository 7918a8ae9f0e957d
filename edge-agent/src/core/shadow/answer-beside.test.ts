/** Requests split by entity between two versions, on the whole core. */
import { takesCandidate } from "@vedette/protocol/split";
import { topics } from "@vedette/protocol/topics";
import { expect, it } from "vitest";
import { agentName, site } from "../test/fake-peer.ts";
import { proofRuns, splitDevice } from "../test/shadowed.ts";

const entities = Array.from({ length: 20 }, (_, i) => `customer-${i}`);
type Run = Awaited<ReturnType<typeof splitDevice>>["run"];
async function askAll(run: Run, of: readonly string[] = entities) {
  const answers = new Map<string, Awaited<ReturnType<Run["askOf"]>>>();
  for (const entity of of) answers.set(entity, await run.askOf(entity));
  return answers;
}
const byRelease = (answers: Awaited<ReturnType<typeof askAll>>) =>
  new Map([...answers].map(([entity, { release }]) => [entity, release]));

it("[C2] an entity is answered by the version of its lot, and every answer says by which", async () => {
  const { run, split, first, second } = await splitDevice({ scale: 3 });
  expect(run.slot()).toMatchObject({
    serving: { digest: first.digest },
    beside: { digest: second.digest, state: "answering", served: 0 },
  });
  const answers = await askAll(run);
  for (const [entity, { release, value, source }] of answers) {
    const candidate = takesCandidate(split, entity);
    expect({ release, value, source }).toEqual({
      release: candidate ? 2 : 1,
      value: candidate ? 3 : 2,
      source: "model",
    });
  }
  const mine = entities.filter((entity) => takesCandidate(split, entity)).length;
  expect(mine).toBeGreaterThan(3);
  expect(run.slot()?.beside).toMatchObject({ served: mine });
  // Whose request it is nobody knows: the version in place answers, and nothing is asked of both.
  expect((await run.predict(1))?.value).toBe(2);
  await run.clock.advance(120_000);
  expect(run.slot()?.beside).toMatchObject({ pairs: 0, skipped: 0 });
  expect(run.log.entries.filter(({ level }) => level === "error")).toEqual([]);
});

it("[C2] the split is the same after a restart, without a network; withdrawn, the version in place answers all", async () => {
  const device = await splitDevice({ scale: 3 });
  const before = byRelease(await askAll(device.run));
  await device.run.agent.stop();
  const run = await device.start();
  await run.clock.advance(60_000);
  // The second one is loaded once the first has answered.
  await run.predict(1);
  await run.clock.advance(60_000);
  expect(byRelease(await askAll(run))).toEqual(before);
  await run.connect();
  device.peer.assign(device.first);
  await run.clock.advance(1000);
  expect([...byRelease(await askAll(run)).values()].every((release) => release === 1)).toBe(true);
  expect(run.loaded).toEqual([2]);
  expect(run.slot()).not.toHaveProperty("beside");
});

it.each([
  ["throws", "throw" as const, "exceptions"],
  ["answers NaN", "nan" as const, "not_a_number"],
])("[C3] one that %s leaves its entities to the version in place, and says why", async (_, answer, reason) => {
  const { run, split } = await splitDevice({ scale: 3, later: { afterRuns: proofRuns + 2, answer } });
  await askAll(run);
  expect(run.slot()).toMatchObject({ serving: { release: 1 }, beside: { state: "rejected", reason } });
  const answers = await askAll(run);
  expect([...answers.values()].every(({ release, source }) => release === 1 && source === "model")).toBe(true);
  expect(entities.some((entity) => takesCandidate(split, entity))).toBe(true);
  expect(run.loaded).toEqual([2]);
});

it("[C3] one that fails its proof answers nobody", async () => {
  const { run } = await splitDevice({ scale: 3, claims: 4 });
  expect(run.slot()?.beside).toMatchObject({ state: "rejected", reason: "proof_failed" });
  expect([...byRelease(await askAll(run)).values()]).toEqual(entities.map(() => 1));
});

it("[C16] where the device has no memory for both, the version in place answers all, which is said", async () => {
  const { run, second } = await splitDevice({ scale: 3 }, 1.5e9);
  const beside = { digest: second.digest, state: "verified", reason: "lacks_memory" };
  expect(run.slot()).toMatchObject({ serving: { release: 1 }, beside });
  expect([...byRelease(await askAll(run)).values()]).toEqual(entities.map(() => 1));
  await run.clock.advance(700_000);
  expect(run.slot()?.beside).toMatchObject({ reason: "lacks_memory" });
  expect(run.loaded).toEqual([2]);
});

it("[C16] another model that comes to answer goes first; the split goes on once there is room", async () => {
  const { run, split, peer, first, second } = await splitDevice({ scale: 3 }, 2.5e9);
  const asSplit = entities.map((entity) => (takesCandidate(split, entity) ? 2 : 1));
  expect([...byRelease(await askAll(run)).values()]).toEqual(asSplit);
  const wind = peer.publish("wind", 1, { scale: 5 });
  const beside = { digest: second.digest, length: second.length, release: 2, sample: 1, split };
  peer.assignSilently(first, wind);
  peer.slots = peer.slots.map((slot) => (slot.model === "rain" ? { ...slot, beside } : slot));
  peer.retain(topics(site).desired(agentName), JSON.stringify({ rev: peer.rev }));
  await run.clock.advance(2000);
  expect(run.loaded.toSorted()).toEqual([2, 5]);
  expect(run.slot()?.beside).toMatchObject({ digest: second.digest, reason: "lacks_memory" });
  expect((await run.predict(2, "wind"))?.value).toBe(10);
  expect([...byRelease(await askAll(run)).values()]).toEqual(entities.map(() => 1));
  peer.assignBeside(first, second, 1, split);
  await run.clock.advance(2000);
  expect(run.loaded.toSorted()).toEqual([2, 3]);
  expect([...byRelease(await askAll(run)).values()]).toEqual(asSplit);
});

it("[C4] each version's rows are in batches of their own, however they take turns, and none is lost over a restart", async () => {
  const { run, disk, peer, start } = await splitDevice({ scale: 3 });
  const ids = [...(await askAll(run)).values()].map(({ id }) => id.split("."));
  const epochs = new Set(ids.map(([, , epoch]) => epoch));
  expect(epochs.size).toBe(2);
  for (const epoch of epochs) {
    const numbers = ids.filter(([, , of]) => of === epoch).map(([, , , n]) => Number(n));
    expect(numbers).toEqual(numbers.map((_, i) => (numbers[0] as number) + i));
  }
  await run.clock.advance(20_000);
  const batches = () => disk.paths().filter((path) => /^spool\/rain\/(second\/)?batch-/.test(path));
  // Of the first one also those from before the split began.
  expect(batches().filter((path) => path.includes("second"))).toHaveLength(1);
  expect(batches().length).toBeLessThanOrEqual(3);
  const waiting = batches();
  await run.agent.stop();
  const again = await start();
  await again.connect();
  expect(batches()).toEqual(expect.arrayContaining(waiting));
  const hello = peer.requests.findLast(({ kind }) => kind === "hello");
  const told = hello?.kind === "hello" ? hello.streams.map(({ epoch }) => epoch) : [];
  expect(told).toEqual(expect.arrayContaining([...epochs]));
});
