/** Reference data: a CSV file read, typed and checked by DuckDB, then handed out column by column. */
import { open } from "node:fs/promises";
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { quoteName } from "../sql-text.ts";

export interface CsvColumn {
  readonly name: string;
  readonly numeric: boolean;
  /** True and false. */
  readonly boolean: boolean;
}
export interface CsvTable {
  readonly path: string;
  readonly rows: number;
  readonly columns: readonly CsvColumn[];
  /** One value a row, NaN where it is missing. The column is numeric, or one of true and false. */
  numbers(name: string): Promise<Float64Array>;
  /** One text a row, null where it is missing; whole numbers without a fraction, as class names are written. */
  texts(name: string): Promise<(string | null)[]>;
  close(): void;
}

/** Without BOOLEAN and dates: those would take the texts "yes" and "no" for true and false, and write others anew. */
export const columnTypes = "['BIGINT', 'DOUBLE', 'VARCHAR']";
/** What tools write for a missing value. */
export const missingTexts = "['', 'NA', 'N/A', 'NaN', 'nan', 'NULL', 'null', 'None']";

/** @throws VedetteError not_found (no such file), invalid_csv (what is wrong with it, and in which line where known). */
export async function readCsv(path: string): Promise<CsvTable> {
  const dialect = await dialectOf(path);
  const database = await DuckDBInstance.create(":memory:");
  const connection = await database.connect();
  const close = (): void => {
    connection.closeSync();
    database.closeSync();
  };
  try {
    await connection.run(
      `CREATE TABLE data AS SELECT * FROM read_csv($1, header=true, skip=$2, delim=$3, quote='"', sample_size=-1, nullstr=${missingTexts}, auto_type_candidates=${columnTypes})`,
      [path, dialect.skip, dialect.delimiter],
    );
    const described = await connection.runAndReadAll("SELECT column_name, column_type FROM (DESCRIBE data)");
    const columns: CsvColumn[] = [];
    for (const [name, type] of described.getRows()) {
      const numeric = type !== "VARCHAR";
      columns.push({ name: String(name), numeric, boolean: !numeric && (await isBoolean(connection, String(name))) });
    }
    const counted = await connection.runAndReadAll("SELECT count(*)::INTEGER FROM data");
    const rows = Number(counted.getRows()[0]?.[0]);
    checkHeader(path, columns, rows);
    const column = async (name: string, expression: string): Promise<unknown[]> => {
      const read = await connection.runAndReadAll(`SELECT ${expression.replace("$", () => quoteName(name))} FROM data`);
      return read.getColumnsJS()[0] ?? [];
    };
    return {
      path,
      rows,
      columns,
      async numbers(name) {
        const boolean = columns.some((known) => known.name === name && known.boolean);
        const values = await column(name, boolean ? "CAST(CAST($ AS BOOLEAN) AS DOUBLE)" : "CAST($ AS DOUBLE)");
        return Float64Array.from(values, (value) => (value === null ? Number.NaN : Number(value)));
      },
      async texts(name) {
        const numeric = columns.some((known) => known.name === name && known.numeric);
        const values = await column(name, numeric ? "CAST($ AS DOUBLE)" : "CAST($ AS VARCHAR)");
        return values.map((value) => (value === null ? null : String(value)));
      },
      close,
    };
  } catch (error) {
    const cause = await misfitOf(connection, path, dialect, error);
    close();
    if (cause instanceof VedetteError) throw cause;
    throw new VedetteError("invalid_csv", `${path} cannot be read as CSV: ${firstLines(messageOf(cause))}`, { cause });
  }
}

/**
 * A better reason why a file cannot be read: DuckDB's detection, which looks at all lines at once, does not name the one that
 * does not fit the header. `error` as it is where each fits.
 */
export async function misfitOf(
  connection: DuckDBConnection,
  path: string,
  { delimiter, skip, width }: CsvDialect,
  error: unknown,
): Promise<unknown> {
  if (error instanceof VedetteError) return error;
  const columns = Array.from({ length: width }, (_, i) => `c${i}: 'VARCHAR'`).join(", ");
  const dialect = `header=true, skip=$2, delim=$3, quote='"', escape='"', auto_detect=false`;
  try {
    await connection.run(`SELECT count(*) FROM read_csv($1, ${dialect}, columns={${columns}})`, [
      path,
      skip,
      delimiter,
    ]);
    return error;
  } catch (misfit) {
    return messageOf(misfit).includes("invalid state") && (await endsMixed(path))
      ? new Error("its lines end in two ways, some in CR LF and some in LF: write them all alike")
      : misfit;
  }
}

async function isBoolean(connection: DuckDBConnection, name: string): Promise<boolean> {
  const read = await connection.runAndReadAll(
    `SELECT bool_and(lower(${quoteName(name)}) IN ('true', 'false')) FROM data`,
  );
  return read.getRows()[0]?.[0] === true;
}

export interface CsvDialect {
  readonly delimiter: string;
  /** Empty lines above the header. */
  readonly skip: number;
  /** Columns of the header. */
  readonly width: number;
}

/** The header decides, so that a ragged line is an error and not a reason to guess another delimiter, or another header. */
export async function dialectOf(path: string, what = "reference data"): Promise<CsvDialect> {
  const [, blank = "", head = ""] = /^\ufeff?((?:[ \t]*\r?\n)*)([^\n]*)/.exec(await beginningOf(path, what)) ?? [];
  const unquoted = head.replaceAll(/"[^"]*"/g, "");
  const count = (delimiter: string): number => unquoted.split(delimiter).length;
  const delimiter = [",", ";", "\t"].reduce((best, next) => (count(next) > count(best) ? next : best));
  return { delimiter, skip: blank.split("\n").length - 1, width: count(delimiter) };
}

/** As after an edit on another system. */
async function endsMixed(path: string): Promise<boolean> {
  const text = await beginningOf(path, "file");
  return text.includes("\r\n") && /[^\r]\n/.test(text);
}

async function beginningOf(path: string, what: string): Promise<string> {
  try {
    const file = await open(path);
    try {
      const { buffer, bytesRead } = await file.read(Buffer.alloc(64 * 1024), 0, 64 * 1024, 0);
      return buffer.toString("utf8", 0, bytesRead);
    } finally {
      await file.close();
    }
  } catch (cause) {
    throw new VedetteError("not_found", `the ${what} ${path} cannot be opened: ${messageOf(cause)}`, { cause });
  }
}

function checkHeader(path: string, columns: readonly CsvColumn[], rows: number): void {
  if (rows === 0)
    throw new VedetteError("invalid_csv", `${path} has no rows below its header: nothing to publish from`);
  if (columns.every(({ name }) => name !== "" && Number.isFinite(Number(name)))) {
    throw new VedetteError("invalid_csv", `${path} starts with numbers: give its first line the names of the columns`);
  }
}

/** Of what DuckDB says, without its own advice, which is about options that nobody here can give. */
export function firstLines(message: string): string {
  const [reason = ""] = message.split("\nPossible fixes");
  return reason.split("\n").slice(0, 3).join(" ").slice(0, 400);
}
