import { existsSync, readdirSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { expect, onTestFinished, test } from "vitest";
import { epoch, makeFrame, testFolder, testKeys } from "../../test/batches.ts";
import { manualClock, noon, silentLogger } from "../../test/clock.ts";
import { systemClock } from "../system-clock.ts";
import { openLake } from "./open-lake.ts";
import { defaultQueryLimits, type QueryLimits } from "./query.ts";

async function testLake(
  options: { folder?: string; clock?: ReturnType<typeof manualClock>; queryLimits?: QueryLimits } = {},
) {
  const { folder = testFolder(), clock = manualClock() } = options;
  const opened = await openLake({ clock, logger: silentLogger, deviceKeys: testKeys, ...options, folder });
  onTestFinished(() => opened.close());
  const ask = (sql: string, limit = 1000) => opened.lake.query({ sql, limit });
  return { ...opened, folder, clock, ask };
}

test("what is acknowledged can be asked for at once, in JSON's own values", async () => {
  const { lake, ingestion } = await testLake();
  expect(await lake.query({ limit: 10 })).toMatchObject({ rows: [] });
  await ingestion.take("dev", "rain", makeFrame());
  const { columns, rows } = await lake.query({ model: "rain", limit: 10 });
  const row = Object.fromEntries(columns.map((name, i) => [name, rows.at(-1)?.[i]]));
  const second = Object.fromEntries(columns.map((name, i) => [name, rows.at(-2)?.[i]]));
  expect(row).toEqual({
    id: `dev.rain.${epoch}.0`,
    batch: 1,
    erased: false,
    agent: "dev",
    model: "rain",
    epoch,
    n: 0,
    version: 3,
    digest: "ab".repeat(32),
    time: new Date(noon - 59_000).toISOString(),
    received: new Date(noon).toISOString(),
    latency_ms: 0.5,
    source: "model",
    reason: null,
    cached: false,
    confidence: null,
    entity: null,
    event_time: null,
    request: null,
    label: "dry",
    value: null,
    withheld: null,
    in_temp: 10,
    in_wind: 2.5,
    score_dry: 0.25,
    score_rain: 0.75,
  });
  expect(second).toMatchObject({
    cached: true,
    entity: "station-1",
    event_time: new Date(noon).toISOString(),
    in_wind: null,
  });
});

test("filters, and the limit", async () => {
  const { lake, ingestion } = await testLake();
  await ingestion.take("dev", "rain", makeFrame());
  await ingestion.take(
    "dev",
    "rain",
    makeFrame({ seq: 1, columns: { source: ["u8", Uint8Array.of(2, 2, 2)], reason: ["u8", Uint8Array.of(2, 5, 99)] } }),
  );
  await ingestion.take("other", "rain", makeFrame({ agent: "other" }));
  await ingestion.take("dev", "snow", makeFrame({ stream: "snow" }));
  const count = async (query: object) => (await lake.query({ limit: 100, ...query })).rows.length;
  expect(await count({})).toBe(12);
  expect(await count({ limit: 5 })).toBe(5);
  expect(await count({ model: "rain" })).toBe(9);
  expect(await count({ agent: "other" })).toBe(3);
  expect(await count({ source: "rule" })).toBe(3);
  expect(await count({ agent: "' OR 1=1 --" })).toBe(0);
  expect(await count({ since: new Date(noon - 59_000 + 3).toISOString() })).toBe(3);
  expect(await lake.query({ limit: 12 })).toMatchObject({ truncated: false });
  expect(await lake.query({ limit: 11 })).toMatchObject({ truncated: true });
  expect(await lake.query({ sql: "SELECT id FROM predictions", limit: 2 })).toMatchObject({
    rows: [[expect.any(String)], [expect.any(String)]],
    truncated: true,
  });
  const many = await lake.query({ sql: "SELECT range FROM range(20000)" });
  expect([many.rows.length, many.truncated]).toEqual([10_000, true]);
  const reasons = await lake.query({
    sql: "SELECT reason FROM predictions WHERE source = 'rule' ORDER BY n",
    limit: 9,
  });
  expect(reasons.rows.flat()).toEqual(["exception", "low_confidence", "reason_99"]);
  await expect(lake.query({ sql: "SELECT 1", model: "rain", limit: 1 })).rejects.toMatchObject({
    code: "invalid_argument",
  });
});

test("[N8] counts are those of the rows, by model, version and source, what the inbox held included", async () => {
  const { lake, ingestion, ask } = await testLake();
  expect(await lake.counts()).toEqual([]);
  await ingestion.take("dev", "rain", makeFrame());
  await lake.flush();
  await ingestion.take("dev", "snow", makeFrame({ stream: "snow", header: { digest: null, release: null } }));
  // More at once than queries may run: they share one.
  const [counts] = await Promise.all([lake.counts(), lake.counts(), lake.counts(), lake.counts()]);
  const { rows } = await ask("SELECT model, digest, source, count(*) FROM predictions GROUP BY ALL");
  const byText = (list: readonly unknown[]) => list.map((one) => JSON.stringify(one)).sort();
  expect(byText(counts.map(({ model, digest, source, rows: n }) => [model, digest, source, n]))).toEqual(byText(rows));
  expect(counts.reduce((sum, count) => sum + count.rows, 0)).toBe(6);
  expect(counts.some(({ model, digest }) => model === "snow" && digest === null)).toBe(true);
});

test("fields that come and go, change width or have strange names are columns by name", async () => {
  const { ingestion, lake, ask } = await testLake();
  await ingestion.take("dev", "rain", makeFrame());
  await lake.flush();
  const strange = `in:x"; DROP VIEW predictions; --`;
  await ingestion.take(
    "dev",
    "rain",
    makeFrame({
      seq: 1,
      columns: { "in:temp": ["f64", Float64Array.of(1e300, 2, 3)], [strange]: ["f32", Float32Array.of(7, 8, 9)] },
    }),
  );
  const { rows } = await ask("SELECT in_temp, COLUMNS('in_x.*') FROM predictions ORDER BY n");
  expect(rows).toEqual([
    [10, null],
    [11, null],
    [12, null],
    [1e300, 7],
    [2, 8],
    [3, 9],
  ]);
});

test("[N4] whatever values a batch may hold, it reaches the lake", async () => {
  const { ingestion, lake, ask } = await testLake();
  const bits = () => new Float32Array(Uint32Array.of(0x7f800000, 0xff800000, 0x80000000).buffer);
  const doubles = Float64Array.of(-0, Number.MAX_VALUE, 5e-324);
  const hostile: Parameters<typeof makeFrame>[0][] = [
    { count: 0 },
    {
      columns: {
        entity: ["text", ["\u0000", "\ud800", "'; DROP VIEW predictions; --"]],
        request: ["text", ["", null, "\u202e<b>"]],
      },
    },
    { columns: { confidence: ["f32", bits()], latency: ["f32", bits()], "in:temp": ["f32", bits()] } },
    {
      columns: {
        "in:temp": ["f64", doubles],
        "in:u": ["u32", Uint32Array.of(0, 1, 4294967295)],
        "in:": ["u8", new Uint8Array(3)],
      },
    },
    { columns: { "in:temp": ["f64", doubles], "in:__proto__": ["f32", bits()], "in:é 雨 💧": ["f32", bits()] } },
    {
      columns: {
        time: ["f64", Float64Array.of(8.64e15 - 1000, -8.64e15, 0.25)],
        eventTime: ["f64", Float64Array.of(8.64e15, -8.64e15, 0.25)],
      },
    },
    { header: { release: Number.MAX_SAFE_INTEGER, classes: ["\u0000", "dry\ud800"], digest: null } },
    { columns: { "in:\u0000": ["f32", bits()] } },
    { columns: { "in:\ud800": ["f32", bits()] } },
    { header: { release: null, classes: null, digest: null }, columns: { "out:value": ["f64", doubles] } },
  ];
  const acks = await Promise.all(
    hostile.map((made, seq) => ingestion.take("dev", "rain", makeFrame({ count: 3, firstN: 10 * seq, ...made, seq }))),
  );
  expect(acks.map((ack) => "upTo" in ack)).toEqual([true, true, true, true, true, true, true, false, false, false]);
  expect(await lake.flush()).toBe(7);
  expect((await ask("SELECT count(*) FROM predictions")).rows).toEqual([[18]]);
  expect((await lake.query({ model: "rain", limit: 100 })).rows).toHaveLength(18);
});

test("SQL by an operator: numbers, times and nested values", async () => {
  const { ask } = await testLake();
  const { columns, rows } = await ask(
    "SELECT 9007199254740993 AS big, 1::BIGINT AS one, 'nan'::FLOAT AS nan, 'inf'::FLOAT AS inf, TIMESTAMP '2026-11-23 12:00:00.5' AS t, [1, 2] AS list, 1.5::DECIMAL(3, 1) AS d, true AS yes, NULL AS nothing, 1 AS one",
  );
  expect(columns.slice(0, 2)).toEqual(["big", "one"]);
  expect(new Set(columns).size).toBe(10);
  expect(rows).toEqual([
    ["9007199254740993", 1, null, "Infinity", "2026-11-23T12:00:00.500Z", "[1, 2]", "1.5", true, null, 1],
  ]);
  expect((await ask("SELECT * FROM range(100000)", 7)).rows).toHaveLength(7);
});

test("[N5] only one SELECT, which reads nothing but predictions", async () => {
  const { ask, folder, ingestion } = await testLake();
  await ingestion.take("dev", "rain", makeFrame());
  const secret = join(folder, "secret.csv");
  writeFileSync(secret, "a,b\n1,2\n");
  const out = join(folder, "out.csv");
  const attempts = [
    "",
    ";",
    "SELECT 1; SELECT 2",
    `SELECT 1; COPY predictions TO '${out}'`,
    `COPY predictions TO '${out}'`,
    `COPY (SELECT 1) TO '${out}'`,
    `EXPORT DATABASE '${out}'`,
    `ATTACH '${join(folder, "inbox.sqlite")}' AS inbox`,
    `ATTACH '${out}'`,
    "SELECT * FROM read_csv('/etc/passwd')",
    "SELECT * FROM read_text('/etc/passwd')",
    "SELECT * FROM read_blob('/etc/passwd')",
    "SELECT * FROM '/etc/passwd'",
    `SELECT * FROM '${secret}'`,
    `SELECT * FROM read_csv('${secret}')`,
    `SELECT * FROM read_blob('${join(folder, "inbox.sqlite")}')`,
    "SELECT * FROM glob('/etc/*')",
    "SELECT * FROM sniff_csv('/etc/passwd')",
    "SELECT * FROM query('COPY (SELECT 1) TO ''x''')",
    "SELECT * FROM read_csv('https://example.com/x.csv')",
    "SET enable_external_access = true",
    "SET lock_configuration = false",
    "RESET allowed_paths",
    "PRAGMA enable_profiling",
    "INSTALL httpfs",
    "LOAD httpfs",
    "CREATE TABLE t AS SELECT 1",
    "DROP VIEW predictions",
    "DELETE FROM predictions",
    "INSERT INTO predictions VALUES (1)",
    "CALL pragma_version()",
    "PREPARE p AS SELECT 1",
    "BEGIN",
    "EXPLAIN ANALYZE SELECT 1",
    "SELECT nonsense FROM predictions",
    "SELEC 1",
  ];
  for (const sql of attempts) {
    await expect(ask(sql), sql).rejects.toMatchObject({ name: "VedetteError", code: "invalid_argument" });
  }
  expect(existsSync(out)).toBe(false);
  expect((await ask("SELECT count(*) FROM predictions")).rows).toEqual([[3]]);
});

test("a query that runs too long is stopped", async () => {
  const folder = testFolder();
  const opened = await openLake({
    deviceKeys: testKeys,
    folder,
    clock: systemClock,
    logger: silentLogger,
    queryLimits: { ...defaultQueryLimits, timeMs: 200, memory: "256MB" },
  });
  onTestFinished(() => opened.close());
  const sql = "SELECT count(*) FROM range(100000000000) AS t(i) WHERE hash(i) % 7 = 3";
  await expect(opened.lake.query({ sql, limit: 1 })).rejects.toMatchObject({ code: "timeout" });
});

test("files flush by the clock, merge when their hour is over, and the replaced ones go", async () => {
  const { lake, ingestion, clock, folder, ask } = await testLake();
  const files = () =>
    readdirSync(join(folder, "files"), { recursive: true, encoding: "utf8" }).filter((name) =>
      name.endsWith(".parquet"),
    );
  await ingestion.take("dev", "rain", makeFrame({ seq: 0 }));
  clock.set(noon + 15_000);
  await expect.poll(files).toHaveLength(1);
  await ingestion.take("dev", "rain", makeFrame({ seq: 1 }));
  await lake.flush();
  expect(files()).toHaveLength(2);
  clock.set(noon + 3_600_000);
  await lake.flush();
  expect(files()).toEqual(["model=rain/hour=2026-11-23T12/merged-1-2.parquet"]);
  expect((await ask("SELECT count(*), count(DISTINCT id) FROM predictions")).rows).toEqual([[6, 6]]);
});

test("after a start, what was stored is there and known", async () => {
  const first = await testLake();
  await first.ingestion.take("dev", "rain", makeFrame({ seq: 0 }));
  await first.lake.flush();
  await first.ingestion.take("dev", "rain", makeFrame({ seq: 1 }));
  await first.close();
  const second = await testLake({ folder: first.folder });
  expect(await second.ingestion.take("dev", "rain", makeFrame({ seq: 0 }))).toEqual({ epoch, upTo: 1, also: [] });
  expect((await second.ask("SELECT count(*) FROM predictions")).rows).toEqual([[6]]);
});

test("an answer or a query that is too large is refused, and says what to ask instead", async () => {
  const { ask } = await testLake();
  const tooLarge = { code: "too_large", message: expect.stringContaining("aggregate") };
  await expect(ask("SELECT repeat('x', 1000000) FROM range(40)")).rejects.toMatchObject(tooLarge);
  await expect(ask("SELECT string_agg(repeat('x', 1000), '') FROM range(2000000)")).rejects.toMatchObject(tooLarge);
  expect((await ask("SELECT repeat('x', 1000000) FROM range(40)", 20)).rows).toHaveLength(20);
});

test("where new batches cannot become files, those that did are still found", async () => {
  const { ingestion, ask, folder } = await testLake();
  await ingestion.take("dev", "rain", makeFrame());
  expect((await ask("SELECT count(*) FROM predictions")).rows).toEqual([[3]]);
  await ingestion.take("dev", "snow", makeFrame({ stream: "snow" }));
  writeFileSync(join(folder, "files", "model=snow"), "in the way");
  expect((await ask("SELECT count(*) FROM predictions")).rows).toEqual([[3]]);
});
