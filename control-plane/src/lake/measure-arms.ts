/**
 * What an experiment compares, out of the lake and the business metrics: units that took part, drawn into their arms anew by
 * their lots, each with the mean of its values. A unit takes part from its first answer on after the split began for it, and
 * stays in the arm that its lot says, whoever answered it: what is compared is being given the one version or the other.
 */
import type { DuckDBConnection } from "@duckdb/node-api";
import { takesCandidate } from "@vedette/protocol/split";
import type { ArmSums, ArmsMeasured, UnitsRequest } from "../measured.ts";
import type { MetricRecord } from "../monitoring/labels/metric-table.ts";
import { quoteText } from "../sql-text.ts";
import { addMeans, noMean, observeValue } from "../statistics/mean-sequence.ts";
import { loadTable } from "./join-labels.ts";

const noArm: ArmSums = { units: 0, crossed: 0, means: noMean, values: noMean };

/** @param connection with the view `predictions`. @param metrics of the model. */
export async function measureArms(
  connection: DuckDBConnection,
  request: UnitsRequest,
  metrics: Iterable<MetricRecord>,
): Promise<ArmsMeasured> {
  const { model, name, version, split, since, devices, salt, share } = request;
  await loadTable(
    connection,
    "taking_part",
    { agent: "text", since: "number" },
    devices.map(({ agent, from }) => [agent, from]),
  );
  const told = function* () {
    for (const one of metrics)
      if (one.name === name) yield [one.device, one.entity, one.prediction, one.value, one.at] as const;
  };
  const columns = { device: "text", entity: "text", prediction: "text", value: "number", moment: "number" } as const;
  await loadTable(connection, "told", columns, told());
  const unit = split === "devices" ? "agent" : "entity";
  const ms = "epoch_ms(time)::DOUBLE";
  const answers = `SELECT agent, entity, version, ${ms} AS ms FROM predictions WHERE model = ${quoteText(model)} AND ${ms} >= ${since}`;
  // A device splits from its first answer by the candidate on; that answer's entity takes part from its next one on, so that
  // what lets a unit in does not depend on its arm.
  const begun =
    split === "devices"
      ? "SELECT agent, since - 1 AS since FROM taking_part"
      : `SELECT agent, min(ms) AS since FROM (${answers}) JOIN taking_part USING (agent) WHERE version = ${version} GROUP BY agent`;
  const result = await connection.stream(`
    WITH answers AS (${answers}), begun AS (${begun}),
    parts AS (
      SELECT ${unit} AS unit, min(ms) AS first, bool_or(version = ${version}) AS by_candidate,
             bool_or(version IS NOT NULL AND version <> ${version}) AS by_incumbent
      FROM answers JOIN begun USING (agent) WHERE ms > begun.since AND ${unit} IS NOT NULL GROUP BY ${unit}),
    measured AS (
      SELECT coalesce(t.${split === "devices" ? "device" : "entity"}, p.${unit}) AS unit, t.value,
             coalesce(epoch_ms(p.time)::DOUBLE, t.moment) AS ms
      FROM told t LEFT JOIN predictions p ON p.id = t.prediction)
    SELECT parts.unit, any_value(by_candidate), any_value(by_incumbent), count(m.value)::DOUBLE, avg(m.value),
           coalesce(var_pop(m.value) * count(m.value), 0)
    FROM parts LEFT JOIN measured m ON m.unit = parts.unit AND m.ms >= parts.first GROUP BY parts.unit ORDER BY parts.unit`);
  const ofCandidate = new Set(devices.filter(({ candidate }) => candidate).map(({ agent }) => agent));
  const candidates = (name: string) =>
    split === "devices" ? ofCandidate.has(name) : takesCandidate({ salt, share }, name);
  const arms = { candidate: noArm, incumbent: noArm };
  for await (const part of result.yieldRows()) {
    for (const row of part) {
      const [name, byCandidate, byIncumbent, n, mean, squares] = row as [
        string,
        boolean,
        boolean,
        number,
        number,
        number,
      ];
      const arm = candidates(name) ? "candidate" : "incumbent";
      // A device is answered by the incumbent until it has fetched the candidate.
      const strays = split === "devices" ? !byCandidate : byIncumbent;
      const crossed = arm === "candidate" ? strays : byCandidate;
      arms[arm] = addUnit(arms[arm], crossed === true, { n, mean: mean ?? 0, squares });
    }
  }
  return arms;
}

function addUnit({ units, crossed, means, values }: ArmSums, crosses: boolean, own: ArmSums["values"]): ArmSums {
  return {
    units: units + 1,
    crossed: crossed + (crosses ? 1 : 0),
    means: own.n === 0 ? means : observeValue(means, own.mean),
    values: own.n === 0 ? values : addMeans(values, own),
  };
}
