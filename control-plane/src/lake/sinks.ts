/** Sinks and how far each has read, in the records' database: a delivery is over when its cursor is on the disk. */
import { VedetteError } from "@vedette/protocol/errors";
import type { Db } from "../monitoring/inbox-tables.ts";

/** The last row delivered. Rows come to the lake in the order of batches, and in a batch of `n`. */
export interface Cursor {
  readonly batch: number;
  readonly n: number;
}
export interface Sink extends Cursor {
  readonly name: string;
  readonly url: string;
  readonly model: string | null;
  readonly delivered: number;
  /** Since the last delivery. */
  readonly failures: number;
  /** UTC ms before which it is not tried again. */
  readonly retryAt: number;
  readonly lastError: string | null;
  readonly lastDelivery: number | null;
}

export interface Sinks {
  all(): Sink[];
  /** @throws VedetteError conflict where the name is taken. */
  add(sink: { name: string; url: string; model: string | null; fromStart: boolean; at: number }): void;
  /** Answers whether there was one. */
  remove(name: string): boolean;
  delivered(name: string, cursor: Cursor, rows: number, at: number): void;
  failed(name: string, why: string, retryAt: number): void;
}

export function sinks(db: Db): Sinks {
  const sql = {
    all: db.prepare<[], Sink>(
      `SELECT name, url, model, batch, n, delivered, failures, retry_at AS retryAt,
              last_error AS lastError, last_delivery AS lastDelivery FROM sinks ORDER BY name`,
    ),
    newest: db.prepare<[], { seq: number }>("SELECT seq FROM sqlite_sequence WHERE name = 'batches'"),
    add: db.prepare("INSERT OR IGNORE INTO sinks (name, url, model, created, batch, n) VALUES (?, ?, ?, ?, ?, ?)"),
    remove: db.prepare("DELETE FROM sinks WHERE name = ?"),
    delivered: db.prepare(
      `UPDATE sinks SET batch = ?, n = ?, delivered = delivered + ?, last_delivery = ?,
              failures = 0, retry_at = 0, last_error = NULL WHERE name = ?`,
    ),
    failed: db.prepare("UPDATE sinks SET failures = failures + 1, last_error = ?, retry_at = ? WHERE name = ?"),
  };
  return {
    all: () => sql.all.all(),
    add({ name, url, model, fromStart, at }) {
      const from = fromStart ? { batch: 0, n: -1 } : { batch: sql.newest.get()?.seq ?? 0, n: Number.MAX_SAFE_INTEGER };
      if (sql.add.run(name, url, model, at, from.batch, from.n).changes === 1) return;
      throw new VedetteError("conflict", `there is a sink ${name} already: remove it first, or choose another name`);
    },
    remove: (name) => sql.remove.run(name).changes === 1,
    delivered: (name, { batch, n }, rows, at) => void sql.delivered.run(batch, n, rows, at, name),
    failed: (name, why, retryAt) => void sql.failed.run(why.slice(0, 500), retryAt, name),
  };
}
