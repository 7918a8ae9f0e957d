import { utf8 } from "@vedette/protocol/bytes";
import { expect, test } from "vitest";
import type { Logger, Storage } from "../ports.ts";
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

test("[Q12] sessions only grow: over restarts, and whatever time is told", async () => {
  const { storage, writes } = disk();
  const said: number[] = [];
  for (const seconds of [1_700_000_000, 0, 4_070_908_800, 5, 1_700_000_100]) {
    const counter = await openSessionCounter({ storage, log });
    for (let i = 0; i < 3; i++) said.push(await counter.next(seconds * 1000));
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
  const counter = await openSessionCounter({ storage, log });
  expect([await counter.next(7000), await counter.next(7000)]).toEqual([7000, 7001]);
});

test("[Q12] killed on a full disk, a device takes another number a second later", async () => {
  const { storage, fill } = disk();
  const first = await openSessionCounter({ storage, log });
  await first.next(1_700_000_000_000);
  fill();
  const said: number[] = [];
  for (const seconds of [1_700_000_002, 1_700_000_004]) {
    said.push(await (await openSessionCounter({ storage, log })).next(seconds * 1000));
  }
  expect(said[1]).toBeGreaterThan(said[0] as number);
});
