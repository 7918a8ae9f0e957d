/** Answers into a file, as they come. It has its name only when it is whole. */

import { once } from "node:events";
import { createWriteStream } from "node:fs";
import { open, rename, rm } from "node:fs/promises";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { stringify } from "csv-stringify/sync";
import { type ColumnSource, fileWriter, ParquetWriter, schemaFromColumnData } from "hyparquet-writer";
import { formatOf } from "./read-file.ts";

export interface OutputColumn {
  readonly name: string;
  readonly type: "INT64" | "DOUBLE" | "STRING";
}
export type OutputRow = Readonly<Record<string, number | string | null>>;
export interface RowSink {
  write(rows: readonly OutputRow[]): Promise<void>;
  /** Gives the file its name. */
  finish(): Promise<void>;
  /** Leaves nothing behind. */
  abandon(): Promise<void>;
}

/** Rows held for one row group of Parquet. */
const groupRows = 16_384;

/** @throws VedetteError invalid_argument, storage_failed. */
export async function openSink(path: string, columns: readonly OutputColumn[]): Promise<RowSink> {
  const part = `${path}.part`;
  const format = formatOf(path, "--out");
  const body = format === "parquet" ? parquetBody(part, columns) : textBody(part, format, columns);
  const guarded = async (work: () => Promise<void>): Promise<void> => {
    try {
      await work();
    } catch (cause) {
      throw new VedetteError("storage_failed", `--out ${path} cannot be written: ${messageOf(cause)}`, { cause });
    }
  };
  return {
    write: (rows) => guarded(() => body.write(rows)),
    finish: () =>
      guarded(async () => {
        await body.end();
        await sync(part);
        await rename(part, path);
      }),
    abandon: async () => {
      await body.end().catch(() => undefined); // it is thrown away; why it failed was said where it did
      await rm(part, { force: true });
    },
  };
}

/** Or a power failure would leave the name, and nothing in it. */
async function sync(path: string): Promise<void> {
  const file = await open(path, "r+");
  try {
    await file.sync();
  } finally {
    await file.close();
  }
}

interface Body {
  write(rows: readonly OutputRow[]): Promise<void>;
  end(): Promise<void>;
}

function textBody(path: string, format: "csv" | "ndjson", columns: readonly OutputColumn[]): Body {
  const stream = createWriteStream(path);
  const failed = once(stream, "error").then(([error]) => Promise.reject(error as Error));
  failed.catch(() => undefined); // heard by the next write or the end
  const names = columns.map(({ name }) => name);
  const put = async (text: string): Promise<void> => {
    if (!stream.write(text)) await Promise.race([once(stream, "drain"), failed]);
  };
  let begun = false;
  return {
    async write(rows) {
      if (format === "ndjson") return put(rows.map((row) => `${JSON.stringify(row)}\n`).join(""));
      await put(
        stringify(
          rows.map((row) => names.map((name) => row[name] ?? null)),
          { header: !begun, columns: names },
        ),
      );
      begun = true;
    },
    async end() {
      if (format === "csv" && !begun) await put(stringify([names]));
      stream.end();
      await Promise.race([once(stream, "close"), failed]);
    },
  };
}

function parquetBody(path: string, columns: readonly OutputColumn[]): Body {
  const dataOf = (rows: readonly OutputRow[]): ColumnSource[] =>
    columns.map(({ name, type }) => ({
      name,
      type,
      nullable: true,
      data: rows.map((row) => (type === "INT64" ? BigInt(row[name] ?? 0) : (row[name] ?? null))),
    }));
  const writer = new ParquetWriter({
    writer: fileWriter(path),
    schema: schemaFromColumnData({ columnData: dataOf([]) }),
  });
  let held: OutputRow[] = [];
  const flush = async () => {
    if (held.length > 0) await writer.write({ columnData: dataOf(held), rowGroupSize: held.length });
    held = [];
  };
  return {
    async write(rows) {
      held.push(...rows);
      if (held.length >= groupRows) await flush();
    },
    async end() {
      await flush();
      await writer.finish();
    },
  };
}
