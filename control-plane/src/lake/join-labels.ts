/**
 * Labels beside the predictions that they are of, in a DuckDB that has the view `predictions`: the tables `truth` (what was
 * told), `joined` (each label with each of its predictions) and `matches` (each prediction with its one truth).
 */
import { DOUBLE, type DuckDBConnection, DuckDBDataChunk, type DuckDBType, VARCHAR } from "@duckdb/node-api";
import { labelKinds, type TruthRow } from "../monitoring/labels/label-table.ts";
import { quoteText } from "../sql-text.ts";

const chunkRows = 2048;

/** The model's answers of a model: what a label can be of. Erased rows hold none. */
export function answersOf(model: string): string {
  return `(SELECT *, epoch_ms(event_time)::DOUBLE AS event_ms FROM predictions
    WHERE model = ${quoteText(model)} AND NOT coalesce(erased, false) AND (label IS NOT NULL OR value IS NOT NULL))`;
}

/** Makes a table of values, one array a column. A number is a DOUBLE, which holds every ms and every count here. */
export async function loadTable(
  connection: DuckDBConnection,
  name: string,
  columns: Readonly<Record<string, "text" | "number">>,
  rows: Iterable<readonly (string | number | null)[]>,
): Promise<void> {
  const types: DuckDBType[] = Object.values(columns).map((type) => (type === "text" ? VARCHAR : DOUBLE));
  await connection.run(
    `CREATE TABLE ${name} (${Object.keys(columns)
      .map((column, i) => `${column} ${types[i]}`)
      .join(", ")})`,
  );
  const appender = await connection.createAppender(name);
  let waiting: (readonly (string | number | null)[])[] = [];
  const flush = () => {
    if (waiting.length === 0) return;
    const chunk = DuckDBDataChunk.create(types, waiting.length);
    chunk.setRows(waiting);
    appender.appendDataChunk(chunk);
    waiting = [];
  };
  for (const row of rows) {
    waiting.push(row);
    if (waiting.length === chunkRows) flush();
  }
  flush();
  appender.closeSync();
}

export async function loadTruth(connection: DuckDBConnection, truth: Iterable<TruthRow>): Promise<void> {
  const rows = function* () {
    for (const { arrival, kind, key, time, label } of truth)
      yield [arrival, labelKinds.indexOf(kind), key, time, label];
  };
  const columns = { arrival: "number", kind: "number", key: "text", time: "number", label: "text" } as const;
  await loadTable(connection, "truth", columns, rows());
}

/**
 * Joins what `loadTruth` loaded. A prediction that several labels speak of keeps the one that says its id, then its request,
 * then its entity. A request of several rows says of none of them which it means.
 */
export async function joinTruth(connection: DuckDBConnection, model: string): Promise<void> {
  const answers = answersOf(model);
  const [id, request, entity] = labelKinds.map((_, i) => i);
  await connection.run(`CREATE TABLE requests AS
    SELECT request, count(*) AS rows FROM predictions
    WHERE model = ${quoteText(model)} AND request IN (SELECT key FROM truth WHERE kind = ${request}) GROUP BY request`);
  await connection.run(`CREATE TABLE joined AS
    SELECT a.id, t.label AS truth, t.arrival, t.kind FROM ${answers} a JOIN truth t ON t.kind = ${id} AND t.key = a.id
    UNION ALL
    SELECT a.id, t.label, t.arrival, t.kind FROM ${answers} a JOIN truth t ON t.kind = ${request} AND t.key = a.request
      JOIN requests r ON r.request = a.request AND r.rows = 1
    UNION ALL
    SELECT a.id, t.label, t.arrival, t.kind FROM ${answers} a
      JOIN truth t ON t.kind = ${entity} AND t.key = a.entity AND t.time = a.event_ms`);
  await connection.run(`CREATE TABLE matches AS
    SELECT id, arg_min(truth, kind) AS truth, arg_min(arrival, kind) AS arrival FROM joined GROUP BY id`);
}
