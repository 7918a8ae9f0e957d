/**
 * One question to the lake, in a DuckDB of its own that can read the registered files and nothing else: the view is made,
 * then access to all other files, to the network and to its own settings is locked, and only then the operator's SQL is
 * looked at. Only one SELECT runs; it is stopped after a time.
 */
import {
  type DuckDBConnection,
  DuckDBInstance,
  type DuckDBResult,
  type DuckDBValue,
  StatementType,
} from "@duckdb/node-api";
import type { predictionQuery, predictionRows } from "@vedette/protocol/api";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { z } from "zod";
import type { Clock } from "../ports.ts";
import { quoteList, quoteName } from "../sql-text.ts";
import { standardLakeColumns } from "./columns.ts";
import { type JsonScalar, toJson } from "./json-values.ts";

export type Query = z.infer<typeof predictionQuery>;
export type Rows = z.infer<typeof predictionRows>;

export interface QueryLimits {
  /** ms until a query is stopped. */
  readonly timeMs: number;
  /** As DuckDB says it, e.g. `512MB`. */
  readonly memory: string;
  /** Bytes of all values of an answer. */
  readonly answerBytes: number;
}
/** Rows where the query says no limit. */
const defaultRows = { filters: 100, sql: 10_000 } as const;
export const defaultQueryLimits: QueryLimits = { timeMs: 30_000, memory: "512MB", answerBytes: 32 * 1024 * 1024 };

const askForLess = "aggregate (GROUP BY), select fewer columns, or LIMIT the rows";

/**
 * Runs a query over files given by their full paths.
 * @throws VedetteError invalid_argument for SQL that does not run or is not one SELECT; timeout; too_large.
 */
export async function runQuery(
  query: Query,
  files: readonly string[],
  clock: Clock,
  limits: QueryLimits = defaultQueryLimits,
): Promise<Rows> {
  const limit = query.limit ?? defaultRows[query.sql === undefined ? "filters" : "sql"];
  const { sql, values } = statementOf(query, limit);
  const instance = await DuckDBInstance.create(":memory:", { threads: "2", memory_limit: limits.memory });
  const connection = await instance.connect();
  let late = false;
  const cancel = clock.after(limits.timeMs, () => {
    late = true;
    connection.interrupt();
  });
  try {
    await makeView(connection, files);
    await lock(connection, files);
    return await select(connection, sql, values, { rows: limit, bytes: limits.answerBytes });
  } catch (error) {
    if (late) {
      throw new VedetteError(
        "timeout",
        `the query ran for ${limits.timeMs} ms and was stopped: ask for less, as by model or by time`,
        { cause: error },
      );
    }
    if (error instanceof VedetteError) throw error;
    if (/^Out of Memory Error/.test(messageOf(error))) {
      throw new VedetteError("too_large", `the query takes over ${limits.memory} of memory: ${askForLess}`, {
        cause: error,
      });
    }
    throw new VedetteError("invalid_argument", `the SQL does not run: ${messageOf(error).slice(0, 500)}`, {
      cause: error,
    });
  } finally {
    cancel();
    connection.closeSync();
    instance.closeSync();
  }
}

/**
 * Answers one statement of ours in chunks of rows, over files given by their full paths. Whoever iterates holds the files.
 * @param work gets the connection, on which the view `predictions` is made.
 */
export async function withPredictions<T>(
  files: readonly string[],
  memory: string,
  work: (connection: DuckDBConnection) => Promise<T>,
): Promise<T> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "2", memory_limit: memory });
  const connection = await instance.connect();
  try {
    await makeView(connection, files);
    await connection.run("SET TimeZone = 'UTC'");
    return await work(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

function statementOf(
  { model, agent, source, since, sql }: Query,
  limit: number,
): { sql: string; values: DuckDBValue[] } {
  if (sql !== undefined) {
    if (model ?? agent ?? source ?? since) {
      throw new VedetteError("invalid_argument", "give either SQL or filters: put the filters into the SQL's WHERE");
    }
    return { sql, values: [] };
  }
  const filters = (
    [
      ["model = ?", model],
      ["agent = ?", agent],
      ["source = ?", source],
      ["time >= CAST(? AS TIMESTAMP)", since],
    ] as const
  ).filter(([, value]) => value !== undefined);
  const where = filters.length > 0 ? `WHERE ${filters.map(([condition]) => condition).join(" AND ")}` : "";
  return {
    sql: `SELECT * FROM predictions ${where} ORDER BY time DESC, id LIMIT ${limit + 1}`,
    values: filters.map(([, value]) => value as string),
  };
}

async function makeView(connection: DuckDBConnection, files: readonly string[]): Promise<void> {
  const nothing = standardLakeColumns.map(({ name, type }) => `CAST(NULL AS ${type}) AS ${quoteName(name)}`);
  // Files of earlier versions lack the columns that came later.
  const standard = `SELECT ${nothing.join(", ")} WHERE false`;
  const rows =
    files.length > 0
      ? `SELECT * FROM read_parquet(${quoteList(files)}, union_by_name = true, hive_partitioning = false)
         UNION ALL BY NAME ${standard}`
      : standard;
  await connection.run(`CREATE VIEW predictions AS ${rows}`);
}

async function lock(connection: DuckDBConnection, files: readonly string[]): Promise<void> {
  await connection.run(`SET allowed_paths = ${quoteList(files)}`);
  await connection.run("SET TimeZone = 'UTC'");
  await connection.run("SET enable_external_access = false");
  await connection.run("SET lock_configuration = true");
}

async function select(
  connection: DuckDBConnection,
  sql: string,
  values: readonly DuckDBValue[],
  limits: { rows: number; bytes: number },
): Promise<Rows> {
  const refusal = "only one SELECT over the view predictions is run";
  if (sql.trim() === "") throw new VedetteError("invalid_argument", `the SQL is empty: ${refusal}`);
  const statements = await connection.extractStatements(sql);
  if (statements.count !== 1) {
    throw new VedetteError("invalid_argument", `the SQL has ${statements.count} statements: ${refusal}`);
  }
  const statement = await statements.prepare(0);
  if (statement.statementType !== StatementType.SELECT) {
    throw new VedetteError("invalid_argument", `the SQL is ${StatementType[statement.statementType]}: ${refusal}`);
  }
  if (values.length > 0) statement.bind([...values]);
  return readRows(await statement.stream(), limits);
}

/** Row by row, so that an answer that is too large is left before it is all in memory. */
async function readRows(result: DuckDBResult, limits: { rows: number; bytes: number }): Promise<Rows> {
  const columns = result.deduplicatedColumnNames();
  const rows: JsonScalar[][] = [];
  let bytes = 0;
  for await (const chunk of result) {
    for (let i = 0; i < chunk.rowCount; i++) {
      if (rows.length === limits.rows) return { columns, rows, truncated: true };
      const row = chunk.getRowValues(i).map(toJson);
      for (const value of row) bytes += typeof value === "string" ? value.length : 8;
      if (bytes > limits.bytes) {
        throw new VedetteError("too_large", `the answer is over ${limits.bytes} bytes: ${askForLess}`);
      }
      rows.push(row);
    }
  }
  return { columns, rows, truncated: false };
}
