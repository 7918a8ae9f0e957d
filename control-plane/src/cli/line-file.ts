/** Files of many small records, row by row in their order: CSV, or one JSON object a line. */
import { createReadStream } from "node:fs";
import { access } from "node:fs/promises";
import { createInterface } from "node:readline";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { z } from "zod";

export interface FileRow {
  /** As an editor counts lines (CSV: of rows whose values hold no line ends). */
  readonly line: number;
  readonly values: Readonly<Record<string, unknown>>;
}

const object = z.record(z.string(), z.unknown());

/**
 * By its ending: `.ndjson` and `.jsonl` hold JSON, all else is CSV with a header, of which every value is text.
 * @throws VedetteError not_found, invalid_argument: what is wrong, and in which line.
 */
export async function* readRows(path: string): AsyncGenerator<FileRow> {
  await access(path).catch((cause: unknown) => {
    throw new VedetteError("not_found", `${path} cannot be read: ${messageOf(cause)}`, { cause });
  });
  yield* /\.(ndjson|jsonl)$/i.test(path) ? jsonRows(path) : csvRows(path);
}

/** In parts of so many, in their order: what one request takes. */
export async function* inParts<T>(items: AsyncIterable<T>, most: number): AsyncGenerator<T[]> {
  let part: T[] = [];
  for await (const item of items) {
    part.push(item);
    if (part.length < most) continue;
    yield part;
    part = [];
  }
  if (part.length > 0) yield part;
}

/** What a row lacks to be a line of the API, in a few words. */
export function misfit({ issues: [issue] }: z.ZodError): string {
  return [...(issue?.path ?? []), issue?.message].join(": ");
}

async function* jsonRows(path: string): AsyncGenerator<FileRow> {
  let line = 0;
  for await (const text of createInterface({ input: createReadStream(path), crlfDelay: Number.POSITIVE_INFINITY })) {
    line++;
    if (text.trim() === "") continue;
    const values = object.safeParse(parseJson(text, `${path}, line ${line}`));
    if (!values.success) throw new VedetteError("invalid_argument", `${path}, line ${line} is no JSON object`);
    yield { line, values: values.data };
  }
}

function parseJson(text: string, where: string): unknown {
  try {
    return JSON.parse(text);
  } catch (cause) {
    throw new VedetteError("invalid_argument", `${where} is no JSON`, { cause });
  }
}

async function* csvRows(path: string): AsyncGenerator<FileRow> {
  // Loading it takes long, and most commands read no CSV.
  const { DuckDBInstance } = await import("@duckdb/node-api");
  const database = await DuckDBInstance.create(":memory:", { threads: "1" });
  const connection = await database.connect();
  try {
    const result = await connection
      .stream("SELECT * FROM read_csv($1, header = true, all_varchar = true)", [path])
      .catch((cause: unknown) => {
        throw new VedetteError("invalid_argument", `${path} is no CSV with a header: ${messageOf(cause)}`, { cause });
      });
    const columns = result.deduplicatedColumnNames();
    let line = 1;
    for await (const rows of result.yieldRows()) {
      for (const row of rows) {
        line++;
        yield { line, values: Object.fromEntries(columns.map((name, i) => [name, row[i] ?? null])) };
      }
    }
  } finally {
    connection.closeSync();
    database.closeSync();
  }
}

/** The value of a column; undefined where it is empty. @throws VedetteError invalid_argument where there is no such column. */
export function cell({ values, line }: FileRow, column: string): string | number | boolean | undefined {
  if (!(column in values)) {
    const there = Object.keys(values).join(", ");
    throw new VedetteError(
      "invalid_argument",
      `line ${line} has no column ${column}: there are ${there}; name the right one by its --…-column option`,
    );
  }
  const value = values[column];
  if (value === null || value === undefined || value === "") return undefined;
  return typeof value === "number" || typeof value === "boolean" ? value : String(value);
}

/** A time as tools write it: ISO with or without `T`, UTC where no zone is said; or ms since 1970. */
export function utcMoment(value: string | number | boolean | undefined): string | number | undefined {
  if (typeof value !== "string") return typeof value === "boolean" ? undefined : value;
  if (/^[0-9]+$/.test(value)) return Number(value);
  const iso = value.trim().replace(/^(\d{4}-\d{2}-\d{2}) (?=\d)/, "$1T");
  const zoned = /T.*(Z|[+-]\d{2}:?\d{2})$/.test(iso) || !iso.includes("T");
  return zoned ? iso : `${iso}Z`;
}
