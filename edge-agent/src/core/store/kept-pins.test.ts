import { expect, test } from "vitest";
import { createManualClock } from "../../sim/memory-ports.ts";
import { createKeptPins } from "./kept-pins.ts";
import { noPins, type Pins } from "./life-cycle.ts";

const version = (i: number) => ({ digest: String(i).repeat(64), release: i, length: 100 });
const assigned = (i: number) => ({ kind: "assigned", version: version(i), rev: i }) as const;

function ready() {
  const saved: Pins[] = [];
  const disk = { full: false };
  let changes = 0;
  const quiet = () => {};
  const life = createKeptPins({
    model: "rain",
    pins: noPins,
    ports: { clock: createManualClock(0), log: { info: quiet, warn: quiet, error: quiet } },
    save: async (pins) => {
      if (disk.full) throw new Error("no space left");
      saved.push(pins);
    },
    changed: () => changes++,
  });
  return { life, saved, disk, changes: () => changes };
}

test("they move at once, and an event that waited for the saving of another finds its own saved with it", async () => {
  const { life, saved, changes } = ready();
  const both = [life.apply(assigned(1)), life.apply(assigned(2))];
  expect(life.pins.candidate?.release).toBe(2);
  expect(changes()).toBe(2);
  await Promise.all(both);
  expect(saved).toEqual([life.pins]);
});

test("an event that changes nothing saves nothing, and tells nobody", async () => {
  const { life, saved, changes } = ready();
  await life.apply({ kind: "fetched" });
  expect([saved, changes()]).toEqual([[], 0]);
  expect(life.pins).toBe(noPins);
});

test("what could not be saved stands, and the next event saves it, also one that changes nothing", async () => {
  const { life, saved, disk } = ready();
  disk.full = true;
  await expect(life.apply(assigned(1))).rejects.toThrow("no space left");
  expect(life.pins.candidate?.release).toBe(1);
  disk.full = false;
  await life.apply(assigned(1));
  expect(saved).toEqual([life.pins]);
});
