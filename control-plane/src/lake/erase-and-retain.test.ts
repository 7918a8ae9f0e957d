/** Erasure and retention as the lake's thread runs them: what goes, what stays, and what a kill between any two steps leaves. */
import { mkdirSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { join } from "node:path";
import { DuckDBInstance } from "@duckdb/node-api";
import { expect, onTestFinished, test } from "vitest";
import { type Made, makeFrame, testFolder, testKey } from "../../test/batches.ts";
import { noon } from "../../test/clock.ts";
import { openInbox } from "../monitoring/inbox.ts";
import { openTables } from "../monitoring/inbox-tables.ts";
import { quoteList } from "../sql-text.ts";
import { eraseRows } from "./erase-rows.ts";
import { openLakeFiles } from "./lake-files.ts";
import { retention } from "./retention.ts";

const hour = 3_600_000;
const day = 24 * hour;

function testLake() {
  const root = testFolder();
  const folder = join(root, "files");
  mkdirSync(folder);
  const path = join(root, "inbox.sqlite");
  const inbox = openInbox(path);
  onTestFinished(() => inbox.close());
  const take = (received: number, made: Made) =>
    inbox.take(
      [{ agent: made.agent ?? "dev", stream: made.stream ?? "rain", frame: makeFrame(made), keys: [testKey] }],
      received,
    );
  /** Opens all of the lake's verbs as after a start; `stopAt`: where the power goes. */
  const start = async (stopAt?: string) => {
    const step = (name: string) => {
      if (name === stopAt) throw new Error(`power lost: ${name}`);
    };
    const db = openTables(path);
    const files = openLakeFiles(path, folder, step, {}, db);
    await files.sweep();
    return { files, erase: eraseRows(db, folder, step), retain: retention(db, folder, step), db };
  };
  const onDisk = () =>
    readdirSync(folder, { recursive: true, encoding: "utf8" }).filter((name) => name.endsWith(".parquet"));
  const rows = async (list: readonly { path: string }[]) => {
    const instance = await DuckDBInstance.create(":memory:", { threads: "1" });
    const connection = await instance.connect();
    const paths = quoteList(list.map((file) => join(folder, file.path)));
    const reader = await connection.runAndReadAll(
      `SELECT n::INTEGER AS n, source, entity, label, in_temp, score_rain, confidence, event_time, request, erased
       FROM read_parquet(${paths}, union_by_name = true) ORDER BY n`,
    );
    const all = reader.getRowObjects();
    connection.closeSync();
    instance.closeSync();
    return all;
  };
  return { root, path, folder, take, start, onDisk, rows };
}

const ask = { entity: "station-1", model: null, before: noon, expires: noon + day, agents: ["dev"] };
const gone = { entity: null, label: null, in_temp: null, score_rain: null, confidence: null, event_time: null };

test.each([undefined, "erasure-requested", "erasure-written", "erasure-registered"])(
  "[E1] an entity is erased from every file, and each answer stays counted; power lost after %s or not",
  async (step) => {
    const { take, start, onDisk, rows, folder } = testLake();
    const first = await start(step);
    for (let seq = 0; seq < 3; seq++) {
      take(noon - hour, { seq });
      await first.files.move();
    }
    take(noon - hour, { seq: 3, columns: { entity: ["text", ["other", null, "other"]] } });
    await first.files.move();
    const work = async () => {
      first.erase.request(ask);
      await first.erase.apply(noon);
    };
    if (step) await expect(work()).rejects.toThrow("power lost");
    else await work();
    first.files.close();

    const second = await start();
    await second.erase.apply(noon);
    await second.files.sweep();
    const all = await rows(second.files.list());
    expect(all.map(({ n }) => n)).toEqual(Array.from({ length: 12 }, (_, n) => n));
    for (const n of [1, 4, 7]) expect(all[n]).toMatchObject({ ...gone, request: null, source: "model", erased: true });
    for (const n of [0, 2, 3, 5, 9, 10, 11])
      expect(all[n]).toMatchObject({ erased: false, in_temp: expect.any(Number) });
    expect(onDisk()).toHaveLength(4);
    for (const name of onDisk()) expect(readFileSync(join(folder, name)).includes("station-1")).toBe(false);
    const erasures = second.db.prepare("SELECT rows, done FROM erasures").all();
    expect(erasures).toEqual([{ rows: 3, done: noon }]);
    second.files.close();
  },
);

test("[E2] what comes later from a spool is erased before it reaches a file; what was answered after the request stays", async () => {
  const { take, start, rows, root } = testLake();
  const { files, erase, db } = await start();
  erase.request(ask);
  await erase.apply(noon);
  take(noon + 30 * day, { seq: 0 });
  const later = Float64Array.of(noon + 1, noon + 1, noon + 1);
  take(noon + 30 * day, { seq: 1, columns: { time: ["f64", later] } });
  // A device that has never learned the time: its clock proves nothing.
  const clock = { wall: noon, monotonic: 5, offset: null };
  take(noon + 30 * day, { seq: 2, columns: { time: ["f64", later] }, header: { clock } });
  take(noon + 30 * day, { seq: 0, stream: "snow" });
  await files.move();
  const rain = await rows(files.list().filter(({ model }) => model === "rain"));
  expect(rain.map(({ erased }) => erased)).toEqual([false, true, false, false, false, false, false, true, false]);
  expect(rain[4]).toMatchObject({ entity: "station-1" });
  expect(db.prepare("SELECT rows, late_rows FROM erasures").get()).toEqual({ rows: 0, late_rows: 3 });
  expect(await erase.apply(noon + 31 * day)).toEqual([]);
  // Nowhere in what stays but in the row that was answered after the request.
  const tables = db.prepare("SELECT group_concat(hash) AS all_of_it FROM erasures").get() as { all_of_it: string };
  expect(tables.all_of_it).toMatch(/^[0-9a-f]{64}$/);
  files.close();
  expect(readFileSync(join(root, "inbox.sqlite")).includes("station-1")).toBe(false);
});

test.each(["a\0b", "\0", "o'\0'; --", "\\' OR true --"])(
  "whatever text the entity %j is, its rows go, and no others",
  async (entity) => {
    const { take, start, rows } = testLake();
    const { files, erase, db } = await start();
    take(noon - hour, { columns: { entity: ["text", [entity, "station-1", "a"]] } });
    await files.move();
    erase.request({ ...ask, entity });
    await erase.apply(noon);
    expect((await rows(files.list())).map(({ erased }) => erased)).toEqual([true, false, false]);
    expect(db.prepare("SELECT rows, done FROM erasures").all()).toEqual([{ rows: 1, done: noon }]);
    files.close();
  },
);

test("one model's erasure leaves the others alone; refused frames that may hold the entity go", async () => {
  const { take, start, rows } = testLake();
  const { files, erase, db } = await start();
  take(noon - hour, { seq: 0 });
  take(noon - hour, { seq: 0, stream: "snow" });
  take(noon - hour, { seq: 1, head: { seq: 9 } });
  await files.move();
  erase.request({ ...ask, model: "snow" });
  const kept = () => db.prepare("SELECT count(*) AS n FROM refused_frames").get();
  expect(kept()).toEqual({ n: 1 });
  await erase.apply(noon);
  erase.request({ ...ask, model: "rain" });
  expect(kept()).toEqual({ n: 0 });
  const erased = async (model: string) =>
    (await rows(files.list().filter((file) => file.model === model))).map((row) => row.erased);
  expect(await erased("rain")).toEqual([false, false, false]);
  expect(await erased("snow")).toEqual([false, true, false]);
  files.close();
});

test("erased rows stay erased when their hour is merged", async () => {
  const { take, start, rows } = testLake();
  const { files, erase } = await start();
  for (let seq = 0; seq < 2; seq++) {
    take(noon - hour, { seq });
    await files.move();
  }
  erase.request(ask);
  await erase.apply(noon);
  expect((await files.merge(noon + hour)).replaced).toHaveLength(2);
  expect((await rows(files.list())).map(({ erased }) => erased)).toEqual([false, true, false, false, true, false]);
  expect(await erase.apply(noon)).toEqual([]);
  files.close();
});

test.each([undefined, "removal-counted", "removal-registered"])(
  "[N21] files past their model's days go whole, and their rows stay counted; power lost after %s or not",
  async (step) => {
    const { take, start, onDisk, folder } = testLake();
    const first = await start(step);
    first.retain.setPolicy("rain", 1);
    take(noon, {
      seq: 0,
      columns: { source: ["u8", Uint8Array.of(0, 2, 2)], reason: ["u8", Uint8Array.of(255, 3, 3)] },
    });
    take(noon, { seq: 0, stream: "snow" });
    take(noon + day, { seq: 1 });
    await first.files.move();
    expect(await first.retain.apply(noon + day + hour - 1)).toEqual([]);
    const late = noon + day + hour;
    if (step) await expect(first.retain.apply(late)).rejects.toThrow("power lost");
    else for (const path of await first.retain.apply(late)) rmSync(path);
    first.files.close();

    const second = await start();
    for (const path of await second.retain.apply(late)) rmSync(path);
    await second.files.sweep();
    const same = { model: "rain", digest: "ab".repeat(32), release: 3, erased: 0 };
    expect(second.retain.removed()).toEqual([
      { ...same, source: "model", reason: "", rows: 1 },
      { ...same, source: "rule", reason: "latency_budget", rows: 2 },
    ]);
    expect(onDisk().sort()).toEqual(
      second.files
        .list()
        .map(({ path }) => path)
        .sort(),
    );
    expect(onDisk()).toHaveLength(2);
    expect(readdirSync(folder)).toEqual(["model=rain", "model=snow"]);
    second.retain.setPolicy("rain", null);
    expect(second.retain.policies()).toEqual([]);
    expect(await second.retain.apply(late + 365 * day)).toEqual([]);
    second.files.close();
  },
);
