/** A CSV file of any size as rows for the drift kernels: DuckDB reads and types it, in streams, never all at once. */
import { type DuckDBConnection, DuckDBInstance } from "@duckdb/node-api";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { columnTypes, dialectOf, firstLines, misfitOf, missingTexts } from "../../publish/csv-table.ts";
import { quoteName, quoteText } from "../../sql-text.ts";

export interface CsvColumn {
  readonly name: string;
  readonly numeric: boolean;
}
/** A column as the kernels take it: a number as it is, a category by the code of its text. */
export type CsvFeature =
  | { readonly name: string; readonly kind: "number" }
  | { readonly name: string; readonly kind: "category"; readonly code: (text: string) => number };

/** What a column holds, for those who choose. */
export interface CsvFacts {
  /** Values that are there. */
  readonly values: number;
  /** To a few per cent where there are many. */
  readonly distinct: number;
  /** All of them are dates or times. */
  readonly moments: boolean;
  /** All of them are whole numbers, one after another: it numbers the rows. */
  readonly numbering: boolean;
}

export interface CsvRows {
  readonly path: string;
  readonly rows: number;
  readonly columns: readonly CsvColumn[];
  /** By column. */
  facts(): Promise<ReadonlyMap<string, CsvFacts>>;
  /** Texts of a column, the most frequent first. */
  frequent(name: string, most: number): Promise<string[]>;
  /** Rows in the file's order, row-major [n][features], NaN where a value is missing; the same at each call. */
  batches(features: readonly CsvFeature[]): AsyncGenerator<Float32Array>;
  close(): void;
}

/**
 * @param like columns that are to be read as another file's were: as texts where they are texts there.
 * @throws VedetteError not_found (no such file), invalid_csv.
 */
export async function openCsvRows(path: string, like: readonly CsvColumn[] = []): Promise<CsvRows> {
  const dialect = await dialectOf(path, "file");
  const database = await DuckDBInstance.create(":memory:");
  const connection = await database.connect();
  const close = (): void => {
    connection.closeSync();
    database.closeSync();
  };
  /** A sensor that fell silent leaves a column that looks like texts, and is none. */
  const isEmpty = async (name: string) => {
    const counted = await read(
      connection,
      `SELECT count(${quoteName(name)})::DOUBLE FROM ${source("all_varchar=true")}`,
    );
    return counted[0]?.[0] === 0;
  };
  const source = (options: string) =>
    `read_csv(${quoteText(path)}, header=true, skip=${dialect.skip}, delim='${dialect.delimiter}', quote='"', nullstr=${missingTexts}, auto_type_candidates=${columnTypes}, ${options})`;
  try {
    const described = await read(
      connection,
      `SELECT column_name, column_type FROM (DESCRIBE SELECT * FROM ${source("sample_size=-1")})`,
    );
    const kinds = new Map(like.map(({ name, numeric }) => [name, numeric]));
    const columns: CsvColumn[] = [];
    for (const [given, type] of described) {
      const name = String(given);
      const typed = type !== "VARCHAR" || (kinds.get(name) === true && (await isEmpty(name)));
      columns.push({ name, numeric: typed && kinds.get(name) !== false });
    }
    // Typed once over the whole file; from here on it is read as that, batch by batch.
    const types = columns.map(({ name, numeric }) => `${quoteText(name)}: '${numeric ? "DOUBLE" : "VARCHAR"}'`);
    await connection.run(`CREATE VIEW data AS SELECT * FROM ${source(`types={${types.join(", ")}}`)}`);
    const rows = Number((await read(connection, "SELECT count(*)::DOUBLE FROM data"))[0]?.[0]);
    if (rows === 0) throw new VedetteError("invalid_csv", `${path} has no rows below its header: nothing to compare`);
    const said = (call: () => Promise<unknown[][]>) => call().catch((cause: unknown) => refuse(path, cause));
    return {
      path,
      rows,
      columns,
      async facts() {
        const each = columns.map(({ name, numeric }) => factsOf(quoteName(name), numeric)).join(", ");
        const [facts = []] = await said(() => read(connection, `SELECT ${each} FROM data`));
        return new Map(
          columns.map(({ name }, i) => {
            const [values, distinct, moments, numbering] = facts.slice(4 * i, 4 * i + 4);
            return [
              name,
              {
                values: Number(values),
                distinct: Number(distinct),
                moments: moments === true,
                numbering: numbering === true,
              },
            ];
          }),
        );
      },
      async frequent(name, most) {
        const value = quoteName(name);
        const found = await said(() =>
          read(
            connection,
            `SELECT ${value} FROM data WHERE ${value} IS NOT NULL GROUP BY 1 ORDER BY count(*) DESC, 1 LIMIT ${most}`,
          ),
        );
        return found.map(([text]) => String(text));
      },
      async *batches(features) {
        const names = features.map(({ name }) => quoteName(name)).join(", ");
        try {
          const stream = await connection.stream(`SELECT ${names} FROM data`);
          for await (const chunk of stream) {
            const batch = new Float32Array(chunk.rowCount * features.length);
            for (const [f, feature] of features.entries()) {
              for (const [row, value] of chunk.getColumnValues(f).entries()) {
                const number =
                  value === null ? Number.NaN : feature.kind === "number" ? Number(value) : feature.code(String(value));
                batch[row * features.length + f] = number;
              }
            }
            yield batch;
          }
        } catch (cause) {
          refuse(path, cause);
        }
      },
      close,
    };
  } catch (error) {
    const cause = await misfitOf(connection, path, dialect, error);
    close();
    return refuse(path, cause);
  }
}

/** Four answers about a column: values, different ones, whether all are dates, whether they number the rows. */
function factsOf(value: string, numeric: boolean): string {
  const counts = `count(${value})::DOUBLE, approx_count_distinct(${value})::DOUBLE`;
  if (!numeric)
    return `${counts}, bool_and(TRY_CAST(${value} AS TIMESTAMP) IS NOT NULL) FILTER (${value} IS NOT NULL), false`;
  const whole = `count(*) > 1 AND bool_and(${value} = floor(${value}))`;
  // As many as the range is long, and hardly one twice.
  const dense = `max(${value}) - min(${value}) + 1 = count(*) AND approx_count_distinct(${value}) > 0.8 * count(*)`;
  return `${counts}, false, ${whole} AND ${dense}`;
}

function refuse(path: string, cause: unknown): never {
  if (cause instanceof VedetteError) throw cause;
  throw new VedetteError("invalid_csv", `${path} cannot be read as CSV: ${firstLines(messageOf(cause))}`, { cause });
}

async function read(connection: DuckDBConnection, sql: string): Promise<unknown[][]> {
  return (await connection.runAndReadAll(sql)).getRows();
}
