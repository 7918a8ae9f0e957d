/**
 * The inbox's own SQLite file. The inbox thread writes batches and their keys, the lake's thread takes batches out and
 * registers the files they became; both open it here.
 */
import Database from "better-sqlite3";

export type Db = Database.Database;

const tables = `
  CREATE TABLE IF NOT EXISTS spools (
    id INTEGER PRIMARY KEY,
    agent TEXT NOT NULL, stream TEXT NOT NULL, epoch TEXT NOT NULL,
    up_to INTEGER NOT NULL DEFAULT -1,
    UNIQUE (agent, stream, epoch)
  ) STRICT;
  CREATE TABLE IF NOT EXISTS keys (
    spool INTEGER NOT NULL, seq INTEGER NOT NULL, sha256 BLOB NOT NULL, refused TEXT,
    PRIMARY KEY (spool, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS ranges (
    spool INTEGER NOT NULL, seq INTEGER NOT NULL, first_n INTEGER NOT NULL, next_n INTEGER NOT NULL,
    PRIMARY KEY (spool, seq)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS batches (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    model TEXT NOT NULL, received INTEGER NOT NULL, frame BLOB NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS refused_frames (
    id INTEGER PRIMARY KEY AUTOINCREMENT,
    at INTEGER NOT NULL, agent TEXT NOT NULL, stream TEXT NOT NULL, why TEXT NOT NULL, frame BLOB NOT NULL
  ) STRICT;
  CREATE TABLE IF NOT EXISTS gaps (
    id INTEGER PRIMARY KEY,
    agent TEXT NOT NULL, model TEXT NOT NULL, epoch TEXT NOT NULL,
    from_n INTEGER NOT NULL, to_n INTEGER NOT NULL, received INTEGER NOT NULL,
    reason TEXT NOT NULL DEFAULT 'power_loss', digest TEXT, release INTEGER
  ) STRICT;
  CREATE TABLE IF NOT EXISTS withheld (
    model TEXT NOT NULL, column_name TEXT NOT NULL, mode TEXT NOT NULL, n INTEGER NOT NULL,
    PRIMARY KEY (model, column_name, mode)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS proofs (
    agent TEXT NOT NULL, model TEXT NOT NULL, epoch TEXT NOT NULL, seq INTEGER NOT NULL,
    first_n INTEGER NOT NULL, next_n INTEGER NOT NULL, received INTEGER NOT NULL,
    head BLOB NOT NULL, signature TEXT NOT NULL, public_key TEXT NOT NULL, header BLOB NOT NULL,
    PRIMARY KEY (agent, model, epoch, first_n)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS lake_columns (
    model TEXT NOT NULL, original TEXT NOT NULL, name TEXT NOT NULL COLLATE NOCASE,
    PRIMARY KEY (model, original), UNIQUE (model, name)
  ) STRICT, WITHOUT ROWID;
  CREATE TABLE IF NOT EXISTS lake_files (
    path TEXT PRIMARY KEY,
    model TEXT NOT NULL, hour TEXT NOT NULL,
    first_batch INTEGER NOT NULL, last_batch INTEGER NOT NULL,
    rows INTEGER NOT NULL, compacted INTEGER NOT NULL
  ) STRICT, WITHOUT ROWID;
`;

/** Columns that came after the first release of a table. */
const laterColumns = [
  ["gaps", "reason", "TEXT NOT NULL DEFAULT 'power_loss'"],
  ["gaps", "digest", "TEXT"],
  ["gaps", "release", "INTEGER"],
] as const;

function upgrade(db: Db): void {
  for (const [table, column, type] of laterColumns) {
    const there = db.prepare<[], { name: string }>(`SELECT name FROM pragma_table_info('${table}')`).all();
    if (!there.some(({ name }) => name === column)) db.exec(`ALTER TABLE ${table} ADD COLUMN ${column} ${type}`);
  }
}

/** Opens or creates the file. Synchronous FULL: an acknowledged batch outlives a power failure (NORMAL can lose it). */
export function openTables(path: string): Db {
  const db = new Database(path, { timeout: 30_000 });
  db.pragma("journal_mode = WAL");
  db.pragma("synchronous = FULL");
  db.transaction(() => {
    db.exec(tables);
    upgrade(db);
  }).immediate();
  return db;
}
