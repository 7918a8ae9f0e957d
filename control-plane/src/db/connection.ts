/** The SQLite connection that the repositories of this folder share, and how an audit row joins a transaction. */

import { fileURLToPath } from "node:url";
import Sqlite from "better-sqlite3";
import type { ExtractTablesWithRelations } from "drizzle-orm";
import { drizzle } from "drizzle-orm/better-sqlite3";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";
import type { BaseSQLiteDatabase } from "drizzle-orm/sqlite-core";
import type { AuditEntry } from "./records.ts";
import { audit } from "./schema.ts";

type Empty = Record<string, never>;
/** The connection, or a transaction on it: both take the same statements. */
export type Connection = BaseSQLiteDatabase<"sync", Sqlite.RunResult, Empty, ExtractTablesWithRelations<Empty>>;

const migrations = fileURLToPath(new URL("../../migrations", import.meta.url));

/** Opens a file (made where there is none) and brings its tables up to date. */
export function openConnection(file: string): { connection: Connection; close(): void } {
  const sqlite = new Sqlite(file);
  sqlite.pragma("journal_mode = WAL");
  // FULL: what was answered with success must outlive a power failure.
  sqlite.pragma("synchronous = FULL");
  sqlite.pragma("foreign_keys = ON");
  sqlite.pragma("busy_timeout = 5000");
  const connection = drizzle(sqlite, { casing: "snake_case" });
  migrate(connection, { migrationsFolder: migrations });
  return { connection, close: () => sqlite.close() };
}

/** Writes an audit row in the transaction of the change that it records. */
export function record(connection: Connection, entry: AuditEntry): void {
  connection.insert(audit).values(entry).run();
}
