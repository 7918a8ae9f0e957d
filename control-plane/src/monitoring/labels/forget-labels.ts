/** Takes labels and metrics out: of entities that are erased, and of what is past its model's days. Called within transactions. */
import type { Db } from "../inbox-tables.ts";
import { countLabels } from "./label-table.ts";

export interface ForgetLabels {
  /** All that names an entity and was told, or happened, until a moment (UTC ms). @param model null: every one. */
  ofEntity(entity: string, model: string | null, before: number): void;
  /** Those of rows that were erased, by their ids and requests. */
  ofRows(model: string, ids: Iterable<string>, requests: Iterable<string>): void;
  /** Metrics that came of predictions, by their ids. */
  metricsOf(predictions: Iterable<string>): void;
  /** By the numbers under which they arrived. */
  arrived(arrivals: Iterable<number>): void;
  /** What was told before a moment (UTC ms). */
  olderThan(model: string, before: number): void;
}

export function forgetLabels(db: Db): ForgetLabels {
  const sql = {
    ofEntity: db.prepare<[string, string | null, string | null, number, number], { model: string }>(
      `DELETE FROM labels WHERE kind = 'entity' AND key = ? AND (? IS NULL OR model = ?) AND (time <= ? OR received <= ?)
       RETURNING model`,
    ),
    metricsOf: db.prepare(
      "DELETE FROM business_metrics WHERE entity = ? AND (? IS NULL OR model = ?) AND (at <= ? OR received <= ?)",
    ),
    byKey: db.prepare("DELETE FROM labels WHERE model = ? AND kind = ? AND key = ?"),
    byArrival: db.prepare<[number], { model: string }>("DELETE FROM labels WHERE id = ? RETURNING model"),
    older: db.prepare("DELETE FROM labels WHERE model = ? AND received < ?"),
    metricsOfPrediction: db.prepare("DELETE FROM business_metrics WHERE prediction = ?"),
    olderMetrics: db.prepare("DELETE FROM business_metrics WHERE model = ? AND received < ?"),
    count: db.prepare(countLabels),
  };
  const count = (model: string, what: string, n: number) => {
    if (n > 0) sql.count.run(model, what, n);
  };
  return {
    ofEntity(entity, model, before) {
      const gone = sql.ofEntity.all(entity, model, model, before, before);
      for (const [of, rows] of Map.groupBy(gone, (row) => row.model)) count(of, "erased", rows.length);
      sql.metricsOf.run(entity, model, model, before, before);
    },
    ofRows(model, ids, requests) {
      let gone = 0;
      for (const id of ids) {
        gone += sql.byKey.run(model, "id", id).changes;
        sql.metricsOfPrediction.run(id);
      }
      for (const request of requests) gone += sql.byKey.run(model, "request", request).changes;
      count(model, "erased", gone);
    },
    metricsOf(predictions) {
      for (const id of predictions) sql.metricsOfPrediction.run(id);
    },
    arrived(arrivals) {
      for (const arrival of arrivals) {
        const gone = sql.byArrival.get(arrival);
        if (gone) count(gone.model, "erased", 1);
      }
    },
    olderThan(model, before) {
      count(model, "removed", sql.older.run(model, before).changes);
      sql.olderMetrics.run(model, before);
    },
  };
}
