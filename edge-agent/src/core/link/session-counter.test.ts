import { utf8 } from "@vedette/protocol/bytes";
import { expect, test } from "vitest";
import type { Clock, Logger, Storage } from "../ports.ts";
import { openSessionCounter } from "./session-counter.ts";

const log: Logger = { info: () => {}, warn: () => {}, error: () => {} };
function disk() {
  const files = new Map<string, Uint8Array<ArrayBuffer>>();
  let writes = 0;
  let full = false;
  const fill = () => {
    full = true;
  };
  const storage = {
    read: async (path: string) => files.get(path),
    write: async (path: string, bytes: Uint8Array<ArrayBuffer>) => {
      if (full) throw new Error("ENOSPC");
      writes++;
      files.set(path, bytes);
    },
  } as unknown as Storage;
  return { storage, files, writes: () => writes, fill };
}
const at = (seconds: number) => ({ now: () => seconds * 1000 }) as Clock;

test("[Q12] sessions only grow: over restarts, and whatever the clock says", async () => {
  const { storage, writes } = disk();
  const said: number[] = [];
  for (const seconds of [1_700_000_000, 0, 4_070_908_800, 5, 1_700_000_100]) {
    const counter = await openSessionCounter({ storage, clock: at(seconds), log });
    for (let i = 0; i < 3; i++) said.push(await counter.next());
  }
  expect(said).toEqual(said.toSorted((a, b) => a - b));
  expect(new Set(said).size).toBe(said.length);
  expect(said[0]).toBe(1_700_000_000_000);
  expect(writes()).toBe(5);
});

test("a full or damaged disk keeps nobody from connecting", async () => {
  const { storage, files, fill } = disk();
  files.set("sessions.json", utf8("{"));
  fill();
  const counter = await openSessionCounter({ storage, clock: at(7), log });
  expect([await counter.next(), await counter.next()]).toEqual([7000, 7001]);
});

test("[Q12] killed on a full disk, a device takes another number a second later", async () => {
  const { storage, fill } = disk();
  const first = await openSessionCounter({ storage, clock: at(1_700_000_000), log });
  await first.next();
  fill();
  const said: number[] = [];
  for (const seconds of [1_700_000_002, 1_700_000_004]) {
    said.push(await (await openSessionCounter({ storage, clock: at(seconds), log })).next());
  }
  expect(said[1]).toBeGreaterThan(said[0] as number);
});
