/** A row of the lake as JSON has it, for those who read rows and for exports. */
import type { DuckDBValue } from "@duckdb/node-api";
import type { RecordRow } from "../ports.ts";
import { toJson } from "./json-values.ts";

/** @param columns their names, in the row's order. */
export function toRecord(columns: readonly string[], row: readonly DuckDBValue[]): RecordRow {
  return Object.fromEntries(columns.map((name, i) => [name, toJson(row[i] ?? null)]));
}
