import { expect, test } from "vitest";
import { createManualClock, createMemoryDisk, createSeededRandom } from "./memory-ports.ts";

const bytes = (...values: number[]): Uint8Array<ArrayBuffer> => new Uint8Array(values);

test("the clock calls what falls due in order, timers made on the way among them", async () => {
  const clock = createManualClock(1000);
  const calls: string[] = [];
  clock.after(20, () => calls.push(`late ${clock.monotonic()}`));
  clock.after(5, () => {
    calls.push(`early ${clock.now()}`);
    clock.after(5, () => calls.push("nested"));
  });
  const cancel = clock.after(6, () => calls.push("cancelled"));
  cancel();
  await clock.advance(20);
  expect(calls).toEqual(["early 1005", "nested", "late 20"]);
  clock.setWall(0);
  expect([clock.now(), clock.monotonic(), clock.waiting]).toEqual([0, 20, 0]);
});

test("one seed, one sequence", () => {
  const [a, b] = [createSeededRandom(7), createSeededRandom(7)];
  expect(a.bytes(16)).toEqual(b.bytes(16));
  const units = Array.from({ length: 1000 }, () => a.unit());
  expect(Math.min(...units)).toBeGreaterThanOrEqual(0);
  expect(Math.max(...units)).toBeLessThan(1);
});

test("a kill loses nothing that was appended; the dead process changes nothing more", async () => {
  const disk = createMemoryDisk();
  const storage = disk.start();
  const file = await storage.append("a/log");
  file.append(bytes(1, 2));
  disk.killAt(0, 0.5);
  expect(() => file.append(bytes(3, 4))).toThrow("killed");
  await expect(storage.write("a/b", bytes(9))).rejects.toThrow("killed");
  const next = disk.start();
  expect(await next.read("a/log")).toEqual(bytes(1, 2, 3));
  expect(await next.list("a")).toEqual(["log"]);
  expect(next.bootId).toBe(storage.bootId);
});

test("a power loss keeps what was synced, and may bring back what was removed", async () => {
  const disk = createMemoryDisk();
  const storage = disk.start();
  await storage.write("a/kept", bytes(1));
  await storage.write("b/removed", bytes(2));
  const file = await storage.append("a/log");
  file.append(bytes(1));
  await file.sync();
  file.append(bytes(2, 3));
  await storage.append("a/unsynced");
  await storage.remove("b/removed");
  disk.powerLoss({ keep: 0.5, undoRemoves: true });
  const next = disk.start();
  expect(await next.read("a/log")).toEqual(bytes(1, 2));
  expect(disk.paths()).toEqual(["a/kept", "a/log", "b/removed"]);
  expect(next.bootId).not.toBe(storage.bootId);
});
