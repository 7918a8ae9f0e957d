/** DuckDB's values as what JSON can say: numbers where they are exact, ISO times, text for all else. */
import { DuckDBTimestampTZValue, DuckDBTimestampValue, type DuckDBValue } from "@duckdb/node-api";

export type JsonScalar = string | number | boolean | null;

/** A value of one cell. Integers over 2^53 and numbers that JSON lacks become text; nested values become DuckDB's text. */
export function toJson(value: DuckDBValue): JsonScalar {
  if (value === null || typeof value === "string" || typeof value === "boolean") return value;
  if (typeof value === "number") return Number.isFinite(value) ? value : Number.isNaN(value) ? null : String(value);
  if (typeof value === "bigint") return Number.isSafeInteger(Number(value)) ? Number(value) : String(value);
  if (value instanceof DuckDBTimestampValue || value instanceof DuckDBTimestampTZValue) return isoTime(value.micros);
  return String(value);
}

/** To the millisecond; what is no date of JavaScript keeps its number. */
function isoTime(micros: bigint): string {
  const date = new Date(Number(micros / 1000n));
  return Number.isNaN(date.getTime()) ? `${micros} µs` : date.toISOString();
}
