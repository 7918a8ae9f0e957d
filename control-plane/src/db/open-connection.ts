/** Opens the SQLite file that the repositories of this folder share. */
import { fileURLToPath } from "node:url";
import { VedetteError } from "@vedette/protocol/errors";
import Sqlite from "better-sqlite3";
import { drizzle } from "drizzle-orm/better-sqlite3";
import { migrate } from "drizzle-orm/better-sqlite3/migrator";
import { linkOlder } from "./audit-chain.ts";
import type { Connection } from "./connection.ts";

const migrations = fileURLToPath(new URL("../../migrations", import.meta.url));

/**
 * Opens a file (made where there is none) and brings its tables up to date.
 * @throws VedetteError conflict where another process has it open: each would go on from what it last knew.
 */
export function openConnection(file: string): {
  connection: Connection;
  /** A consistent copy in another file, while all goes on. */
  copy(to: string): Promise<void>;
  close(): void;
} {
  const sqlite = new Sqlite(file, { timeout: 1000 });
  try {
    const copy = async (to: string) => void (await sqlite.backup(to));
    return { connection: prepare(sqlite), copy, close: () => sqlite.close() };
  } catch (cause) {
    sqlite.close();
    if (!(cause instanceof Sqlite.SqliteError && cause.code === "SQLITE_BUSY")) throw cause;
    throw new VedetteError("conflict", `another control plane has ${file} open: stop it, or use another home folder`, {
      cause,
    });
  }
}

function prepare(sqlite: Sqlite.Database): Connection {
  sqlite.pragma("locking_mode = EXCLUSIVE");
  sqlite.pragma("journal_mode = WAL");
  // FULL: what was answered with success must outlive a power failure.
  sqlite.pragma("synchronous = FULL");
  sqlite.pragma("foreign_keys = ON");
  const connection = drizzle(sqlite, { casing: "snake_case" });
  migrate(connection, { migrationsFolder: migrations });
  connection.transaction(linkOlder);
  return connection;
}
