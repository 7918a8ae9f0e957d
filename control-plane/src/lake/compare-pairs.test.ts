/** Which labelled answers are held against what devices told of pairs, where clocks do not agree. */
import { DuckDBInstance } from "@duckdb/node-api";
import { expect, test } from "vitest";
import { comparePairs } from "./compare-pairs.ts";
import { loadTable } from "./join-labels.ts";

const second = 1_000;
const at = Date.UTC(2026, 0, 5);
const digest = "d1";

/** Of answers "dry" of one device at those times, ms from `at`, all labelled "rain". */
async function pairsOf(times: readonly number[], spans: readonly [from: number, to: number][], beside: string[] = []) {
  const instance = await DuckDBInstance.create(":memory:");
  const connection = await instance.connect();
  try {
    await loadTable(
      connection,
      "rows",
      { id: "text", ms: "number" },
      times.map((ms, i) => [`${i}`, at + ms]),
    );
    await connection.run(`CREATE VIEW predictions AS SELECT id, 'rain' AS model, 'gauge' AS agent, '${digest}' AS digest,
      'model' AS source, 'dry' AS label, NULL::DOUBLE AS value, false AS erased,
      make_timestamp((ms * 1000)::BIGINT) AS time, NULL::TIMESTAMP AS event_time FROM rows`);
    await connection.run("CREATE TABLE matches AS SELECT id, 'rain' AS truth FROM predictions");
    return await comparePairs(connection, {
      model: "rain",
      since: at - 5 * second,
      spans: spans.map(([from, to]) => ["gauge", digest, at + from, at + to]),
      disagreements: beside.map((id) => [id, "rain"]),
    });
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

test("[R75] what is listed counts though its device learned the time anew between it and its pair; of the rest nothing is made up", async () => {
  const once = (ms: number): [number, number] => [ms, ms];
  const spans = [0, 600, 1200].map((of) => once(of * second));
  const [found] = await pairsOf([0.9 * second, 597 * second, 1204 * second], spans, ["0", "2"]);
  expect(found).toEqual({
    digest,
    agent: "gauge",
    labelled: 2,
    until: at + 1204 * second,
    onlyAnsweringRight: 0,
    onlyBesideRight: 2,
  });
});

test("[R75] labelled answers of seconds before a span do not stand in for its own, whose labels are still to come", async () => {
  const before = Array.from({ length: 500 }, (_, i) => -4 * second + 5 * i);
  expect(await pairsOf(before, [[0, 10 * second]])).toEqual([]);
});

test("[R75] what was answered long before or after both were asked does not", async () => {
  expect(await pairsOf([-60 * second, 30 * second, 90 * second], [[0, 10 * second]])).toEqual([]);
});

test("[R77] of answers of before it is asked nothing is told, though a device lists them, or claims a span of years", async () => {
  const before = [-3600 * second, -10 * second];
  expect(await pairsOf(before, [[-7200 * second, 10 * second]], ["0", "1"])).toEqual([]);
});
