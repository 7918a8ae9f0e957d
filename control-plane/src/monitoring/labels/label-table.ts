/**
 * Labels as they are kept, beside the list of the lake's files: one that holds for each thing that can be labelled, and those
 * it replaced. The label worker writes it; the lake's thread takes out what has to be forgotten.
 */
import type { LabelsAnswer } from "@vedette/protocol/labels-api";
import type { Db } from "../inbox-tables.ts";
import { tombstones } from "../tombstones.ts";

/** Ways to say what a label is about. */
export const labelKinds = ["id", "request", "entity"] as const;

/** A label as it is stored: what it is about is the model, the kind, the key, and with an entity the time. */
export interface LabelRecord {
  readonly model: string;
  readonly kind: (typeof labelKinds)[number];
  readonly key: string;
  /** Of the event, UTC ms; 0 where the key says it all. */
  readonly time: number;
  readonly label: string;
  /** When the truth was found, UTC ms; null: when it was told. */
  readonly at: number | null;
}

export interface TruthRow extends Omit<LabelRecord, "at" | "model"> {
  /** In the order in which labels were first told. */
  readonly arrival: number;
}

export interface LabelTotals {
  readonly model: string;
  readonly labels: number;
  readonly corrected: number;
  readonly erased: number;
  readonly removed: number;
  /** UTC ms. */
  readonly newest: number | null;
}

export type AddedLabels = Omit<LabelsAnswer, "lines" | "unknownClasses">;

export interface LabelTable {
  /** All of them in one commit. `received`: UTC ms. */
  add(labels: readonly LabelRecord[], received: number): AddedLabels;
  /** Those that hold, of one model where it is named, by arrival. */
  truth(model?: string): Iterable<TruthRow>;
  totals(): LabelTotals[];
}

type Held = { id: number; label: string; at: number; received: number };

export function labelTable(db: Db): LabelTable {
  const stones = tombstones(db);
  const sql = {
    find: db.prepare<[string, string, string, number], Held>(
      "SELECT id, label, at, received FROM labels WHERE model = ? AND kind = ? AND key = ? AND time = ?",
    ),
    insert: db.prepare("INSERT INTO labels (model, kind, key, time, label, at, received) VALUES (?, ?, ?, ?, ?, ?, ?)"),
    replace: db.prepare("UPDATE labels SET label = ?, at = ?, received = ? WHERE id = ?"),
    confirm: db.prepare("UPDATE labels SET at = ? WHERE id = ?"),
    keep: db.prepare("INSERT OR IGNORE INTO former_labels (label_id, label, at, received) VALUES (?, ?, ?, ?)"),
    count: db.prepare(countLabels),
    truth: db.prepare<[string | null, string | null], TruthRow>(
      "SELECT id AS arrival, kind, key, time, label FROM labels WHERE ? IS NULL OR model = ? ORDER BY id",
    ),
    totals: db.prepare<[], LabelTotals>(
      `WITH told AS (SELECT model, count(*) AS labels, max(received) AS newest FROM labels GROUP BY model),
            counted AS (SELECT model, sum(n) FILTER (WHERE what = 'corrected') AS corrected,
                               sum(n) FILTER (WHERE what = 'erased') AS erased, sum(n) FILTER (WHERE what = 'removed') AS removed
                        FROM label_counts GROUP BY model)
       SELECT model, coalesce(labels, 0) AS labels, newest, coalesce(corrected, 0) AS corrected,
              coalesce(erased, 0) AS erased, coalesce(removed, 0) AS removed
       FROM told FULL JOIN counted USING (model) ORDER BY model`,
    ),
  };

  const addOne = ({ model, kind, key, time, label, at }: LabelRecord, received: number): keyof AddedLabels => {
    if (kind === "entity" && stones.isErased(model, key, time)) return "erased";
    // A truth cannot be found after it was told: a clock that is years ahead would outlast every correction.
    const found = Math.min(at ?? received, received);
    const held = sql.find.get(model, kind, key, time);
    if (!held) {
      sql.insert.run(model, kind, key, time, label, found, received);
      return "stored";
    }
    if (held.label === label) {
      if (found > held.at) sql.confirm.run(found, held.id);
      return "repeated";
    }
    if (found < held.at) {
      return sql.keep.run(held.id, label, found, received).changes > 0 ? "outdated" : "repeated";
    }
    sql.keep.run(held.id, held.label, held.at, held.received);
    sql.replace.run(label, found, received, held.id);
    sql.count.run(model, "corrected", 1);
    return "corrected";
  };

  return {
    add(labels, received) {
      const added = { stored: 0, repeated: 0, corrected: 0, outdated: 0, erased: 0 };
      db.transaction(() => {
        for (const label of labels) {
          const what = addOne(label, received);
          added[what]++;
          if (what === "erased") sql.count.run(label.model, "erased", 1);
        }
      }).immediate();
      return added;
    },
    // Begun by who reads it, and ended with them: a connection with an open statement takes no other.
    *truth(model) {
      yield* sql.truth.iterate(model ?? null, model ?? null);
    },
    totals: () => sql.totals.all(),
  };
}

/** Adds to a model's count of labels that were corrected, erased or removed. */
export const countLabels = `INSERT INTO label_counts (model, what, n) VALUES (?, ?, ?)
  ON CONFLICT (model, what) DO UPDATE SET n = n + excluded.n`;
