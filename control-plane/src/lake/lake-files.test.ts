import { mkdirSync, readdirSync, statSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { expect, onTestFinished, test } from "vitest";
import { makeFrame, testFolder, testKey } from "../../test/batches.ts";
import { noon } from "../../test/clock.ts";
import { openInbox } from "../monitoring/inbox.ts";
import { quoteList } from "../sql-text.ts";
import { openLakeFiles, type Step } from "./lake-files.ts";

const hour = 3_600_000;

function testLake() {
  const root = testFolder();
  const folder = join(root, "files");
  mkdirSync(folder);
  const path = join(root, "inbox.sqlite");
  const inbox = openInbox(path);
  onTestFinished(() => inbox.close());
  const take = (received: number, ...made: Parameters<typeof makeFrame>) => {
    const [options = {}] = made;
    const from = {
      agent: options.agent ?? "dev",
      stream: options.stream ?? "rain",
      frame: makeFrame(...made),
      keys: [testKey],
    };
    inbox.take([from], received);
  };
  /** Opens the lake as after a start; `stopAt`: where the power goes. */
  const start = async (stopAt?: Step, limits?: Parameters<typeof openLakeFiles>[3]) => {
    const stop = (step: Step) => {
      if (step === stopAt) throw new Error(`power lost: ${step}`);
    };
    const files = openLakeFiles(path, folder, stop, limits);
    await files.sweep();
    return files;
  };
  const onDisk = () =>
    readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => /\.(parquet|tmp)/.test(name));
  return { folder, take, start, onDisk };
}

async function rowsOf(folder: string, files: readonly { path: string }[]): Promise<string[]> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await instance.connect();
  const list = quoteList(files.map(({ path }) => join(folder, path)));
  const reader = await connection.runAndReadAll(
    `SELECT id FROM read_parquet(${list}, union_by_name = true) ORDER BY n`,
  );
  const ids = reader.getRows().map(([id]) => String(id));
  connection.closeSync();
  instance.closeSync();
  return ids;
}

test("batches become files by model and received hour, named by their range", async () => {
  const { folder, take, start, onDisk } = testLake();
  take(noon, { seq: 0 });
  take(noon, { seq: 0, stream: "snow" });
  take(noon + 10, { seq: 1 });
  take(noon + hour, { seq: 2 });
  const files = await start();
  expect(await files.move()).toBe(4);
  expect(onDisk().sort()).toEqual([
    "model=rain/hour=2026-11-23T12/1-3.parquet",
    "model=rain/hour=2026-11-23T13/4-4.parquet",
    "model=snow/hour=2026-11-23T12/2-2.parquet",
  ]);
  expect(
    await rowsOf(
      folder,
      files.list().filter(({ model }) => model === "rain"),
    ),
  ).toHaveLength(9);
  expect(await files.move()).toBe(0);
  files.close();
});

test("batches that are wide in the lake are moved some at a time", async () => {
  const { folder, take, start } = testLake();
  const wide = Object.fromEntries(
    Array.from({ length: 500 }, (_, i) => [`in:w${i}`, ["u8", new Uint8Array(100)] as const]),
  ) as NonNullable<Parameters<typeof makeFrame>[0]>["columns"];
  for (let seq = 0; seq < 5; seq++) take(noon, { seq, count: 100, ...(wide && { columns: wide }) });
  const files = await start(undefined, { mostBytes: 1024 * 1024 });
  expect(await files.move()).toBe(5);
  expect(files.list().map(({ path }) => path.split("/").at(-1))).toEqual(["1-2.parquet", "3-4.parquet", "5-5.parquet"]);
  expect(new Set(await rowsOf(folder, files.list())).size).toBe(500);
  files.close();
});

test.each<Step>(["batches-written", "batches-registered"])(
  "[N6] power lost after %s: nothing lost, nothing doubled",
  async (step) => {
    const { folder, take, start, onDisk } = testLake();
    take(noon, { seq: 0 });
    take(noon + hour, { seq: 1 });
    const first = await start(step);
    await expect(first.move()).rejects.toThrow("power lost");
    first.close();
    take(noon + hour, { seq: 2 });
    const second = await start();
    await second.move();
    const ids = await rowsOf(folder, second.list());
    expect(ids).toEqual(Array.from({ length: 9 }, (_, n) => `dev.rain.00112233445566aa.${n}`));
    expect(onDisk().length).toBe(second.list().length);
    second.close();
  },
);

test.each<Step | undefined>([undefined, "merge-written", "merge-registered"])(
  "[N6] an hour that is over becomes one file, power lost after %s or not",
  async (step) => {
    const { folder, take, start, onDisk } = testLake();
    const first = await start();
    for (let seq = 0; seq < 3; seq++) {
      take(noon, { seq });
      await first.move();
    }
    expect(await first.merge(noon + hour - 1)).toEqual({ replaced: [], failed: [] });
    first.close();
    const second = await start(step);
    const { replaced, failed } = await second.merge(noon + hour);
    if (step) expect(failed).toMatchObject([{ why: `power lost: ${step}` }]);
    else expect(replaced).toHaveLength(3);
    second.close();
    const third = await start();
    await third.merge(noon + hour);
    expect(third.list()).toEqual([
      { path: "model=rain/hour=2026-11-23T12/merged-1-3.parquet", model: "rain", lastBatch: 3 },
    ]);
    expect(await rowsOf(folder, third.list())).toHaveLength(9);
    expect(await third.merge(noon + hour)).toEqual({ replaced: [], failed: [] });
    await third.sweep();
    expect(onDisk()).toHaveLength(1);
    third.close();
  },
);

test("an hour is merged in groups of files under a size, once; late files join it", async () => {
  const { folder, take, start, onDisk } = testLake();
  const files = await start(undefined, { mostMerged: 1 });
  for (let seq = 0; seq < 3; seq++) {
    take(noon, { seq });
    await files.move();
  }
  const size = statSync(join(folder, files.list()[0]!.path)).size;
  expect(await files.merge(noon + hour)).toEqual({ replaced: [], failed: [] });
  files.close();
  const larger = await start(undefined, { mostMerged: 2.5 * size });
  expect((await larger.merge(noon + hour)).replaced).toEqual([]);
  take(noon, { seq: 3 });
  await larger.move();
  expect((await larger.merge(noon + hour)).replaced).toHaveLength(4);
  expect(onDisk().filter((name) => name.includes("merged")).length).toBe(2);
  expect(new Set(await rowsOf(folder, larger.list())).size).toBe(12);
  larger.close();
});

test("an hour that cannot be merged is told and left for an hour; the others are merged", async () => {
  const { folder, take, start } = testLake();
  const files = await start();
  for (const at of [noon, noon + hour]) {
    for (let i = 0; i < 2; i++) {
      take(at, { seq: (at - noon) / (hour / 2) + i });
      await files.move();
    }
  }
  writeFileSync(join(folder, files.list()[0]!.path), "no Parquet");
  const merged = await files.merge(noon + 2 * hour);
  expect(merged.replaced).toHaveLength(2);
  expect(merged.failed).toMatchObject([{ hour: "model=rain/hour=2026-11-23T12" }]);
  expect((await files.merge(noon + 2 * hour)).failed).toEqual([]);
  expect((await files.merge(noon + 3 * hour)).failed).toHaveLength(1);
  expect(files.list()).toHaveLength(3);
  files.close();
});
