import { fromUtf8, utf8 } from "@vedette/protocol/bytes";
import fc from "fast-check";
import { expect, test } from "vitest";
import { createMemoryDisk, createMemoryLogger } from "../../sim/memory-ports.ts";
import { readTwice, writeTwice } from "./kept-twice.ts";

const parse = (bytes: Uint8Array) => JSON.parse(fromUtf8(bytes)) as { n: number };
const text = (n: number) => utf8(JSON.stringify({ n }));

test("nothing was kept, nothing is read", async () => {
  expect(await readTwice({ storage: createMemoryDisk().start() }, "state.json", parse)).toBeUndefined();
});

test("either copy is enough, and that one was needed is said; both damaged is an error", async () => {
  const disk = createMemoryDisk();
  const storage = disk.start();
  const log = createMemoryLogger();
  await writeTwice(storage, "state.json", text(1));
  disk.poke("state.json", utf8('{"n":'));
  expect(await readTwice({ storage, log }, "state.json", parse)).toEqual({ n: 1 });
  await storage.remove("state.json");
  expect(await readTwice({ storage, log }, "state.json", parse)).toEqual({ n: 1 });
  expect(log.entries.map(({ fields }) => fields.why)).toEqual(["the file is damaged", "the file is gone"]);
  disk.poke("state.json", utf8("{"));
  disk.poke("state.json.copy", utf8("["));
  await expect(readTwice({ storage }, "state.json", parse)).rejects.toThrow(SyntaxError);
});

test("[property] killed at any change, what is read is what was written before or what was being written", async () => {
  await fc.assert(
    fc.asyncProperty(fc.integer({ min: 0, max: 2 }), fc.constantFrom(0, 1), async (change, torn) => {
      const disk = createMemoryDisk();
      await writeTwice(disk.start(), "state.json", text(1));
      const storage = disk.start();
      disk.killAt(change, torn);
      await writeTwice(storage, "state.json", text(2)).catch(() => undefined); // killed
      const read = await readTwice({ storage: disk.start() }, "state.json", parse);
      expect(change + torn >= 1 ? [2] : [1]).toContain(read?.n);
    }),
  );
});
