/** Rows of a file, a few at a time, so that memory does not grow with the file: CSV, newline-delimited JSON or Parquet. */
import { createReadStream } from "node:fs";
import { access } from "node:fs/promises";
import { createInterface } from "node:readline";
import { brotliDecompressSync, gunzipSync, zstdDecompressSync } from "node:zlib";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { parse } from "csv-parse";
import {
  asyncBufferFromFile,
  type Compressors,
  parquetMetadataAsync,
  parquetReadObjects,
  parquetSchema,
} from "hyparquet";

/** As the file has it: texts in CSV, JSON's or Parquet's values elsewhere. */
export type FileRow = Readonly<Record<string, unknown>>;
const formats = ["csv", "ndjson", "parquet"] as const;
export type Format = (typeof formats)[number];

/** Rows decoded at once from a row group of Parquet. */
const decodedRows = 8192;
/** hyparquet brings Snappy; pyarrow, Spark and DuckDB also write these. */
const compressors: Compressors = {
  GZIP: (bytes) => gunzipSync(bytes),
  ZSTD: (bytes) => zstdDecompressSync(bytes),
  BROTLI: (bytes) => brotliDecompressSync(bytes),
};

/** By the file's ending. @throws VedetteError invalid_argument for others. */
export function formatOf(path: string, option: string): Format {
  const ending = /\.([a-z]+)$/i.exec(path)?.[1]?.toLowerCase();
  const format = ending === "jsonl" ? "ndjson" : formats.find((each) => each === ending);
  if (format) return format;
  throw new VedetteError("invalid_argument", `${option} ${path} ends with none of .csv, .ndjson, .jsonl and .parquet`);
}

/**
 * @param wanted columns that are read where the file has them; others are passed over.
 * @throws VedetteError not_found (no such file), invalid_input (what is wrong with it, and where).
 */
export async function* readFileRows(path: string, wanted: readonly string[]): AsyncGenerator<FileRow> {
  const format = formatOf(path, "--in");
  try {
    await access(path);
  } catch (cause) {
    throw new VedetteError("not_found", `--in ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
  try {
    if (format === "csv") yield* readCsv(path);
    else if (format === "ndjson") yield* readNdjson(path);
    else yield* readParquet(path, wanted);
  } catch (cause) {
    if (cause instanceof VedetteError) throw cause;
    throw new VedetteError("invalid_input", `${path} cannot be read as ${format}: ${messageOf(cause)}`, { cause });
  }
}

async function* readCsv(path: string): AsyncGenerator<FileRow> {
  const parser = createReadStream(path).pipe(
    parse({ bom: true, columns: true, skip_empty_lines: true, delimiter: [",", ";", "\t"] }),
  );
  for await (const row of parser) yield row as FileRow;
}

async function* readNdjson(path: string): AsyncGenerator<FileRow> {
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    line++;
    if (text.trim() === "") continue;
    const row: unknown = JSON.parse(text);
    if (typeof row !== "object" || row === null || Array.isArray(row)) {
      throw new VedetteError("invalid_input", `line ${line} of ${path} is no JSON object of values by field name`);
    }
    yield row as FileRow;
  }
}

async function* readParquet(path: string, wanted: readonly string[]): AsyncGenerator<FileRow> {
  const file = await asyncBufferFromFile(path);
  const metadata = await parquetMetadataAsync(file);
  const columns = parquetSchema(metadata).children.flatMap(({ element }) =>
    wanted.includes(element.name) ? [element.name] : [],
  );
  const rows = Number(metadata.num_rows);
  let groupEnd = 0;
  for (const group of metadata.row_groups) {
    const groupStart = groupEnd;
    groupEnd = Math.min(rows, groupStart + Number(group.num_rows));
    for (let rowStart = groupStart; rowStart < groupEnd; rowStart += decodedRows) {
      const rowEnd = Math.min(groupEnd, rowStart + decodedRows);
      yield* await parquetReadObjects({ file, metadata, columns, rowStart, rowEnd, compressors });
    }
  }
}
