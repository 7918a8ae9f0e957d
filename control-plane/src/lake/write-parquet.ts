/** Writes Parquet with DuckDB: beside, synced, renamed; so a file that has its name is whole and on the disk. */
import { mkdir, open, rename } from "node:fs/promises";
import { dirname } from "node:path";
import { DOUBLE, type DuckDBConnection, DuckDBDataChunk, DuckDBInstance } from "@duckdb/node-api";
import { quoteList, quoteName, quoteText } from "../sql-text.ts";
import {
  type LakeColumn,
  lakeValues,
  type NameOf,
  ownColumns,
  type ReceivedBatch,
  standardLakeColumns,
} from "./columns.ts";

/** Rows of one DuckDB data chunk. */
const chunkRows = 2048;

/** Writes batches of one model as one file. Answers its rows. */
export async function writeBatches(path: string, batches: readonly ReceivedBatch[], nameOf: NameOf): Promise<number> {
  const columns = unionOfColumns(batches, nameOf);
  return await withDuckDb(async (connection) => {
    const definitions = columns.map(({ name, type }) => `${quoteName(name)} ${type}`);
    await connection.run(`CREATE TABLE batches (${definitions.join(", ")})`);
    const appender = await connection.createAppender("batches");
    let rows = 0;
    for (const received of batches) {
      const { batch } = received;
      const values = lakeValues(received, nameOf);
      for (let from = 0; from < batch.header.count; from += chunkRows) {
        const count = Math.min(chunkRows, batch.header.count - from);
        const nulls = new Array<null>(count).fill(null);
        const chunk = DuckDBDataChunk.create(
          columns.map((column) => column.type),
          count,
        );
        for (const [i, { name }] of columns.entries()) {
          chunk.setColumnValues(i, values.get(name)?.slice(from, from + count) ?? nulls);
        }
        appender.appendDataChunk(chunk);
      }
      rows += batch.header.count;
    }
    appender.closeSync();
    await copyTo(connection, "SELECT * FROM batches", path);
    return rows;
  });
}

/** Writes the rows of many files as one. How wide they are does not matter: row groups are cut by their bytes. */
export async function mergeFiles(path: string, files: readonly string[]): Promise<void> {
  const select = `SELECT * FROM read_parquet(${quoteList(files)}, union_by_name = true)`;
  await withDuckDb((connection) => copyTo(connection, select, path, ", ROW_GROUP_SIZE_BYTES '32MB'"), {
    memory_limit: "512MB",
    preserve_insertion_order: "false",
  });
}

/** A column that is FLOAT in one batch and DOUBLE in another is DOUBLE. */
function unionOfColumns(batches: readonly ReceivedBatch[], nameOf: NameOf): LakeColumn[] {
  const columns = new Map(standardLakeColumns.map((column) => [column.name, column]));
  for (const { batch } of batches) {
    for (const column of ownColumns(batch, nameOf)) {
      if (columns.get(column.name)?.type !== DOUBLE) columns.set(column.name, column);
    }
  }
  return [...columns.values()];
}

export async function withDuckDb<T>(
  work: (connection: DuckDBConnection) => Promise<T>,
  settings: Record<string, string> = {},
): Promise<T> {
  const instance = await DuckDBInstance.create(":memory:", { threads: "1", ...settings });
  const connection = await instance.connect();
  try {
    return await work(connection);
  } finally {
    connection.closeSync();
    instance.closeSync();
  }
}

export async function copyTo(connection: DuckDBConnection, select: string, path: string, more = ""): Promise<void> {
  await mkdir(dirname(path), { recursive: true });
  const beside = `${path}.tmp`;
  await connection.run(`COPY (${select}) TO ${quoteText(beside)} (FORMAT parquet, COMPRESSION zstd${more})`);
  await sync(beside);
  await rename(beside, path);
  await sync(dirname(path));
}

async function sync(path: string): Promise<void> {
  const handle = await open(path, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
