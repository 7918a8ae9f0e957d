/** The list of the lake's files that count, in the records' database; lake-files, erase-rows and retention write it. */
import type { Db } from "../monitoring/inbox-tables.ts";

export interface FileRow {
  readonly path: string;
  readonly model: string;
  /** By when its batches were received. */
  readonly hour: string;
  readonly first_batch: number;
  readonly last_batch: number;
  readonly rows: number;
  /** 1: its hour is over, and it will be merged with no other but late ones. */
  readonly compacted: 0 | 1;
  /** Number of the newest tombstone that its rows were checked for. */
  readonly erased_to: number;
}

export interface FileTable {
  /** By the order in which their batches came. */
  all(): FileRow[];
  ofHour(model: string, hour: string): FileRow[];
  register(file: FileRow): void;
  unregister(path: string): void;
  setCompacted(path: string): void;
  setErasedTo(path: string, tombstone: number): void;
}

export function fileTable(db: Db): FileTable {
  const sql = {
    all: db.prepare<[], FileRow>("SELECT * FROM lake_files ORDER BY first_batch"),
    ofHour: db.prepare<[string, string], FileRow>(
      "SELECT * FROM lake_files WHERE model = ? AND hour = ? ORDER BY first_batch",
    ),
    register: db.prepare(
      `INSERT INTO lake_files (path, model, hour, first_batch, last_batch, rows, compacted, erased_to)
       VALUES (@path, @model, @hour, @first_batch, @last_batch, @rows, @compacted, @erased_to)`,
    ),
    unregister: db.prepare("DELETE FROM lake_files WHERE path = ?"),
    compacted: db.prepare("UPDATE lake_files SET compacted = 1 WHERE path = ?"),
    erasedTo: db.prepare("UPDATE lake_files SET erased_to = ? WHERE path = ?"),
  };
  return {
    all: () => sql.all.all(),
    ofHour: (model, hour) => sql.ofHour.all(model, hour),
    register: (file) => void sql.register.run(file),
    unregister: (path) => void sql.unregister.run(path),
    setCompacted: (path) => void sql.compacted.run(path),
    setErasedTo: (path, tombstone) => void sql.erasedTo.run(tombstone, path),
  };
}

/** `YYYY-MM-DDTHH`, UTC, by when the batch was received. */
export function hourOf(ms: number): string {
  return new Date(ms).toISOString().slice(0, 13);
}

export function partition(model: string, hour: string): string {
  return `model=${model}/hour=${hour}`;
}

/** Named by its batch range; ids are never used twice, so a name always means the same batches. */
export function fileOf(model: string, hour: string, first: number, last: number, prefix: string): FileRow {
  const path = `${partition(model, hour)}/${prefix}${first}-${last}.parquet`;
  return { path, model, hour, first_batch: first, last_batch: last, rows: 0, compacted: 0, erased_to: 0 };
}
