import { appendFile, mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { afterEach, beforeEach, expect, test } from "vitest";
import { type Cell, cells, type Stream } from "./cells.ts";
import type { Detector } from "./detector.ts";
import { RecordsFile } from "./records-file.ts";
import { runCells } from "./run.ts";

let folder: string;
beforeEach(async () => {
  folder = await mkdtemp(join(tmpdir(), "verdicts-"));
});
afterEach(() => rm(folder, { recursive: true }));

function counting(name: string, usesReference = true): Detector & { seen: Stream[] } {
  const seen: Stream[] = [];
  return {
    name,
    title: name,
    usesReference,
    seen,
    threshold: () => 1,
    async run(stream) {
      seen.push(stream);
      return [[stream.rows.length, seen.length]];
    },
    async close() {},
  };
}

const small: readonly Cell[] = cells.filter(({ name }) => /^(null iid 1k|mean-1-one iid 10k)$/.test(name));

test("what was run is not run again, and more streams or detectors are added to it", async () => {
  const path = join(folder, "deep", "records.jsonl");
  const run = async (detectors: readonly Detector[], streams: number) => {
    const file = await RecordsFile.open(path);
    await runCells({ cells: small, detectors, streams, file, length: 2100 });
    return file;
  };
  const [a, b] = [counting("a"), counting("b", false)];
  await run([a], 2);
  expect(a.seen.length).toBe(4);
  const file = await run([a, b], 3);
  expect(a.seen.length).toBe(6);
  // Without a reference there is nothing new at one of another size.
  expect(b.seen.length).toBe(3);
  expect(b.seen[2]).toEqual(a.seen[5]);
  const found = file.ofCell("mean-1-one iid 10k");
  expect([...found.keys()].sort()).toEqual(["a", "b"]);
  expect(found.get("a")?.map(({ stream, change }) => [stream, change !== null])).toEqual([
    [0, true],
    [1, true],
    [2, true],
  ]);
});

test("a line that a stop cut short is run again", async () => {
  const path = join(folder, "records.jsonl");
  const line = { cell: "null iid 1k", stream: 0, detector: "a", change: null, records: [] };
  await (await RecordsFile.open(path)).add(line);
  const whole = await readFile(path, "utf8");
  await appendFile(path, `{"cell":"null iid 1k","str`);
  const file = await RecordsFile.open(path);
  expect(file.has("null iid 1k", 0, "a")).toBe(true);
  await file.add({ ...line, stream: 1 });
  expect(await readFile(path, "utf8")).toBe(`${whole}${JSON.stringify({ ...line, stream: 1 })}\n`);
});
