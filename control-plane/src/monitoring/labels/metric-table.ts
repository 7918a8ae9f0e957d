/** Business metrics as they are kept; the label worker writes and reads them. */
import type { MetricsAnswer } from "@vedette/protocol/labels-api";
import type { Db } from "../inbox-tables.ts";
import { tombstones } from "../tombstones.ts";

export interface MetricRecord {
  readonly model: string;
  readonly name: string;
  /** Said twice, it counts once; null: whatever comes counts. */
  readonly external: string | null;
  readonly version: number | null;
  readonly device: string | null;
  readonly entity: string | null;
  /** Id of the one that it came of. */
  readonly prediction: string | null;
  readonly value: number;
  /** UTC ms. */
  readonly at: number;
}

export interface MetricTable {
  /** All of them in one commit. */
  add(metrics: readonly MetricRecord[], received: number): Omit<MetricsAnswer, "lines">;
  /** In the order in which they came. */
  all(model?: string): Iterable<MetricRecord>;
  /** Predictions that metrics came of. */
  predictions(): Iterable<string>;
}

export function metricTable(db: Db): MetricTable {
  const stones = tombstones(db);
  const sql = {
    insert: db.prepare(
      `INSERT OR IGNORE INTO business_metrics (model, name, external, version, device, entity, prediction, value, at, received)
       VALUES (@model, @name, @external, @version, @device, @entity, @prediction, @value, @at, @received)`,
    ),
    predictions: db.prepare<[], { prediction: string }>(
      "SELECT DISTINCT prediction FROM business_metrics WHERE prediction IS NOT NULL",
    ),
    all: db.prepare<[string | null, string | null], MetricRecord>(
      `SELECT model, name, external, version, device, entity, prediction, value, at FROM business_metrics
       WHERE ? IS NULL OR model = ? ORDER BY id`,
    ),
  };
  return {
    add(metrics, received) {
      const added = { stored: 0, repeated: 0, erased: 0 };
      db.transaction(() => {
        for (const metric of metrics) {
          const { entity, model, at } = metric;
          if (entity !== null && stones.isErased(model, entity, at)) added.erased++;
          else if (sql.insert.run({ ...metric, received }).changes > 0) added.stored++;
          else added.repeated++;
        }
      }).immediate();
      return added;
    },
    *predictions() {
      for (const { prediction } of sql.predictions.iterate()) yield prediction;
    },
    *all(model) {
      yield* sql.all.iterate(model ?? null, model ?? null);
    },
  };
}
