/** The SQLite connection that the repositories of this folder share; open-connection.ts opens it. */
import type Sqlite from "better-sqlite3";
import type { ExtractTablesWithRelations } from "drizzle-orm";
import type { BaseSQLiteDatabase } from "drizzle-orm/sqlite-core";

type Empty = Record<string, never>;
/** The connection, or a transaction on it: both take the same statements. */
export type Connection = BaseSQLiteDatabase<"sync", Sqlite.RunResult, Empty, ExtractTablesWithRelations<Empty>>;
