/**
 * The inbox's own SQLite file. The inbox thread writes batches and their keys, the lake's thread takes batches out and
 * registers the files they became; both open it here.
 */
import { VedetteError } from "@vedette/protocol/errors";
import Database from "better-sqlite3";
import { inboxMigrations } from "./inbox-migrations.ts";

export type Db = Database.Database;

/**
 * Opens or creates the file, and brings its tables up to date. Synchronous FULL: an acknowledged batch outlives a power
 * failure (NORMAL can lose it). Secure delete: what was erased is not left in free pages.
 * @throws VedetteError conflict where a newer Vedette has written the file.
 */
export function openTables(path: string): Db {
  const db = new Database(path, { timeout: 30_000 });
  try {
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = FULL");
    db.pragma("secure_delete = ON");
    db.transaction(() => migrate(db, path)).immediate();
    return db;
  } catch (error) {
    db.close();
    throw error;
  }
}

function migrate(db: Db, path: string): void {
  const taken = Number(db.pragma("user_version", { simple: true }));
  if (taken > inboxMigrations.length) {
    throw new VedetteError(
      "conflict",
      `${path} was written by a newer Vedette (its tables are of version ${taken}, this one knows ${inboxMigrations.length}): ` +
        "start that one, or restore a backup of this one",
    );
  }
  for (const step of inboxMigrations.slice(taken)) db.exec(step);
  db.pragma(`user_version = ${inboxMigrations.length}`);
}
