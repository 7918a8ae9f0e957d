/**
 * Which predictions' numbers the stored batches of a spool hold. A device numbers its predictions in the order of its
 * batches, so a batch fits only between the numbers of those before and after it: no id can be stored twice.
 */
import type { BatchHeader } from "@vedette/protocol/prediction-batch";
import type { Db } from "./inbox-tables.ts";

type Numbers = Pick<BatchHeader, "seq" | "firstN" | "count">;

export interface NumberRanges {
  /** Why a new batch cannot be of this spool; undefined where it can. A batch of no predictions always can. */
  conflict(spool: { id: number; told_n: number }, batch: Numbers): string | undefined;
  /** Remembers a batch that is stored now. */
  add(spool: { id: number }, batch: Numbers): void;
  /** Forgets what no batch to come can meet. */
  forget(spool: { id: number; up_to: number }): void;
}

export function numberRanges(db: Db): NumberRanges {
  const sql = {
    before: db.prepare<[number, number], { seq: number; next_n: number }>(
      "SELECT seq, next_n FROM ranges WHERE spool = ? AND seq < ? ORDER BY seq DESC LIMIT 1",
    ),
    after: db.prepare<[number, number], { seq: number; first_n: number }>(
      "SELECT seq, first_n FROM ranges WHERE spool = ? AND seq > ? ORDER BY seq LIMIT 1",
    ),
    add: db.prepare("INSERT INTO ranges (spool, seq, first_n, next_n) VALUES (?, ?, ?, ?)"),
    /** The last one at or below `up_to` says where all later batches begin at the earliest. */
    forget: db.prepare(
      "DELETE FROM ranges WHERE spool = @id AND seq < (SELECT max(seq) FROM ranges WHERE spool = @id AND seq <= @upTo)",
    ),
  };
  return {
    conflict({ id, told_n }, { seq, firstN, count }) {
      if (count === 0) return undefined;
      const before = sql.before.get(id, seq);
      if (before && firstN < before.next_n) {
        return `batch ${seq} begins with prediction ${firstN}, but batch ${before.seq} before it reaches to ${before.next_n - 1}`;
      }
      if (firstN < told_n) {
        return `batch ${seq} begins with prediction ${firstN}, but all below ${told_n} are stored or known to be missing`;
      }
      const after = sql.after.get(id, seq);
      if (after && firstN + count > after.first_n) {
        return `batch ${seq} reaches to prediction ${firstN + count - 1}, but batch ${after.seq} after it begins with ${after.first_n}`;
      }
      return undefined;
    },
    add({ id }, { seq, firstN, count }) {
      if (count > 0) sql.add.run(id, seq, firstN, firstN + count);
    },
    forget: ({ id, up_to }) => void sql.forget.run({ id, upTo: up_to }),
  };
}
