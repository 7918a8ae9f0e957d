/**
 * Which predictions are missing for good, and why. A device numbers its predictions without a hole, so whatever lies
 * between two batches that follow each other is missing: as the later one says (its gap), or because a batch between them
 * was refused, or because it is not to be had any more. The inbox calls in the transaction of the batch.
 */
import type { Db } from "./inbox-tables.ts";

export interface SpoolRow {
  readonly id: number;
  readonly agent: string;
  readonly stream: string;
  readonly epoch: string;
  up_to: number;
  /** All numbers below are stored or in a gap. */
  told_n: number;
  told_seq: number;
}
export interface Hole {
  readonly from: number;
  readonly to: number;
}
/** What a device has of a spool: batches below `seq` are not there any more. */
export interface Held {
  readonly seq: number;
  /** Number of the first prediction that is in no batch, where no batch waits; else null. */
  readonly n: number | null;
}

/** Predictions that are in no file and why, and those that are expected between batches that came out of order. */
export interface MissingRows {
  readonly missing: {
    readonly model: string;
    readonly release: number | null;
    readonly reason: string;
    readonly rows: number;
  }[];
  readonly expected: { readonly model: string; readonly rows: number }[];
}

export interface Holes {
  account(): MissingRows;
  /** Notes what is missing below the batches that are stored without a hole. `received`: UTC ms. */
  explain(spool: SpoolRow, received: number): void;
  /** Passes over batches that are nowhere any more. Answers how many. */
  pass(spool: SpoolRow, held: Held, received: number): number;
}

export function holes(db: Db): Holes {
  const sql = {
    ranges: db.prepare<[number, number, number], { seq: number; first_n: number; next_n: number }>(
      "SELECT seq, first_n, next_n FROM ranges WHERE spool = ? AND seq > ? AND seq <= ? ORDER BY seq",
    ),
    declared: db.prepare<[string, string, string, number, number], Hole>(
      `SELECT from_n AS "from", to_n AS "to" FROM gaps
       WHERE agent = ? AND model = ? AND epoch = ? AND to_n >= ? AND from_n <= ? ORDER BY from_n`,
    ),
    gap: db.prepare(
      "INSERT INTO gaps (agent, model, epoch, from_n, to_n, received, reason) VALUES (?, ?, ?, ?, ?, ?, ?)",
    ),
    told: db.prepare("UPDATE spools SET told_n = ?, told_seq = ?, up_to = ? WHERE id = ?"),
    refused: db.prepare<[number, number, number], { seq: number }>(
      "SELECT seq FROM keys WHERE spool = ? AND seq > ? AND seq <= ? AND refused IS NOT NULL LIMIT 1",
    ),
    lost: db.prepare<[number, number, number], { to_seq: number }>(
      "SELECT to_seq FROM lost_batches WHERE spool = ? AND to_seq > ? AND from_seq <= ? LIMIT 1",
    ),
    addLost: db.prepare("INSERT INTO lost_batches (spool, from_seq, to_seq, found) VALUES (?, ?, ?, ?)"),
    restored: db.prepare<[], { value: string }>("SELECT value FROM facts WHERE key = 'restored_at'"),
    // Not sum, which fails where devices lie so much that it overflows.
    missing: db.prepare<[], MissingRows["missing"][number]>(
      `SELECT model, release, reason, min(total(to_n - from_n + 1), ${Number.MAX_SAFE_INTEGER}) AS rows
       FROM gaps WHERE reason <> 'unanswered' GROUP BY model, release, reason ORDER BY model, release, reason`,
    ),
    ahead: db.prepare<[], SpoolRow>(
      `SELECT * FROM spools WHERE EXISTS (SELECT 1 FROM ranges WHERE spool = spools.id AND seq > up_to) ORDER BY stream`,
    ),
    keyed: db.prepare<[number, number], { n: number }>("SELECT 1 AS n FROM keys WHERE spool = ? AND seq = ?"),
  };

  const reasonOf = (spool: SpoolRow, toSeq: number): string => {
    if (sql.lost.get(spool.id, spool.told_seq, toSeq)) return sql.restored.get() ? "restored_backup" : "unexplained";
    return sql.refused.get(spool.id, spool.told_seq, toSeq) ? "refused" : "unexplained";
  };
  /** Tells all numbers up to `n` (excluded), which batch `seq` begins with or has passed. */
  const tellTo = (spool: SpoolRow, n: number, seq: number, received: number) => {
    const { agent, stream, epoch, told_n } = spool;
    const found = uncovered(
      { from: told_n, to: n - 1 },
      n > told_n ? sql.declared.all(agent, stream, epoch, told_n, n - 1) : [],
    );
    const reason = found.length > 0 ? reasonOf(spool, seq) : "";
    for (const { from, to } of found) sql.gap.run(agent, stream, epoch, from, to, received, reason);
  };
  const explain = (spool: SpoolRow, received: number) => {
    for (const { seq, first_n, next_n } of sql.ranges.all(spool.id, spool.told_seq, spool.up_to)) {
      tellTo(spool, first_n, seq, received);
      spool.told_n = Math.max(spool.told_n, next_n);
      spool.told_seq = seq;
    }
    sql.told.run(spool.told_n, spool.told_seq, spool.up_to, spool.id);
  };

  /** Numbers between batches that came out of order, of which the batches in between may still come. */
  const expectedOf = (spool: SpoolRow): number => {
    const { id, agent, stream, epoch } = spool;
    let [rows, next] = [0, spool.told_n];
    for (const { first_n, next_n } of sql.ranges.all(id, spool.told_seq, Number.MAX_SAFE_INTEGER)) {
      const hole = { from: next, to: first_n - 1 };
      const parts = first_n > next ? uncovered(hole, sql.declared.all(agent, stream, epoch, next, first_n - 1)) : [];
      for (const { from, to } of parts) rows += to - from + 1;
      next = Math.max(next, next_n);
    }
    return rows;
  };

  return {
    explain,
    account() {
      const expected = new Map<string, number>();
      for (const spool of sql.ahead.all()) {
        expected.set(spool.stream, (expected.get(spool.stream) ?? 0) + expectedOf(spool));
      }
      return { missing: sql.missing.all(), expected: [...expected].map(([model, rows]) => ({ model, rows })) };
    },
    pass(spool, held, received) {
      const passed = held.seq - 1 - spool.up_to;
      if (passed > 0) {
        sql.addLost.run(spool.id, spool.up_to + 1, held.seq - 1, received);
        spool.up_to = held.seq - 1;
        while (sql.keyed.get(spool.id, spool.up_to + 1)) spool.up_to++;
      }
      explain(spool, received);
      if (held.n !== null && held.n > spool.told_n) {
        tellTo(spool, held.n, spool.up_to, received);
        spool.told_n = held.n;
        spool.told_seq = spool.up_to;
        sql.told.run(spool.told_n, spool.told_seq, spool.up_to, spool.id);
      }
      return Math.max(0, passed);
    },
  };
}

/** The parts of a hole that no declared gap covers. `declared`: by their beginning; they may overlap. */
export function uncovered(hole: Hole, declared: readonly Hole[]): Hole[] {
  const parts: Hole[] = [];
  let from = hole.from;
  for (const gap of declared) {
    if (gap.from > from) parts.push({ from, to: Math.min(gap.from - 1, hole.to) });
    from = Math.max(from, gap.to + 1);
  }
  if (from <= hole.to) parts.push({ from, to: hole.to });
  return parts;
}
