/** Business metrics by model, name and version. Where the version is not said, it is the one of the prediction, or that answered last before. */
import type { DuckDBConnection } from "@duckdb/node-api";
import type { MetricGroup } from "../measured.ts";
import type { MetricRecord } from "../monitoring/labels/metric-table.ts";
import { noMean, observeValue } from "../statistics/mean-sequence.ts";
import { loadTable } from "./join-labels.ts";

const columns = {
  arrival: "number",
  model: "text",
  name: "text",
  version: "number",
  device: "text",
  entity: "text",
  prediction: "text",
  value: "number",
  moment: "number",
} as const;

/** @param connection with the view `predictions`. */
export async function summariseMetrics(
  connection: DuckDBConnection,
  metrics: Iterable<MetricRecord>,
): Promise<MetricGroup[]> {
  const rows = function* () {
    let arrival = 0;
    for (const { model, name, version, device, entity, prediction, value, at } of metrics)
      yield [arrival++, model, name, version, device, entity, prediction, value, at];
  };
  await loadTable(connection, "metrics", columns, rows());
  const answered = (who: "agent" | "entity", wanted: "device" | "entity") =>
    `(SELECT model, ${who} AS who, epoch_ms(time)::DOUBLE AS ms, version FROM predictions
      WHERE version IS NOT NULL AND ${who} IN (SELECT ${wanted} FROM metrics WHERE version IS NULL))`;
  const result = await connection.stream(`
    SELECT m.model, m.name, coalesce(m.version, p.version, d.version, e.version)::DOUBLE, m.value, m.moment FROM metrics m
    LEFT JOIN (SELECT id, version FROM predictions) p ON p.id = m.prediction
    ASOF LEFT JOIN ${answered("agent", "device")} d ON d.model = m.model AND d.who = m.device AND m.moment >= d.ms
    ASOF LEFT JOIN ${answered("entity", "entity")} e ON e.model = m.model AND e.who = m.entity AND m.moment >= e.ms
    ORDER BY m.arrival`);
  const groups = new Map<string, MetricGroup>();
  for await (const part of result.yieldRows()) {
    for (const row of part) {
      const [model, name, version, value, at] = row as [string, string, number | null, number, number];
      const key = JSON.stringify([model, name, version]);
      const group = groups.get(key) ?? { model, name, version, mean: noMean, first: at, last: at };
      groups.set(key, {
        ...group,
        mean: observeValue(group.mean, value),
        first: Math.min(group.first, at),
        last: Math.max(group.last, at),
      });
    }
  }
  const order = (a: MetricGroup, b: MetricGroup) =>
    a.model.localeCompare(b.model) || a.name.localeCompare(b.name) || (a.version ?? 0) - (b.version ?? 0);
  return [...groups.values()].sort(order);
}
