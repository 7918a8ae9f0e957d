/** Who was right where two versions that were asked the same did not agree, as labels tell it. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { sameWithin } from "@vedette/protocol/shadow";
import type { PairedTruth, PairsRequest } from "../measured.ts";
import { answersOf, loadTable } from "./join-labels.ts";

/**
 * Times are told apart by this much at most, as clocks' fractions are. Both are the device's, and are the same but where it connected
 * anew between an answer and its batch, and learnt the time once more: what is listed counts all the same, by its id; of the rest
 * so many are not counted as its time moved by, which makes a verdict later. To allow for more would take labelled answers of before a
 * span for agreement, while the span's own wait for their labels. ms.
 */
const slackMs = 50;

/** @param connection after `joinTruth`. */
export async function comparePairs(connection: DuckDBConnection, request: PairsRequest): Promise<PairedTruth[]> {
  const { model, since, spans, disagreements } = request;
  await loadTable(connection, "spans", { agent: "text", digest: "text", from_ms: "number", to_ms: "number" }, spans);
  await loadTable(
    connection,
    "beside",
    { id: "text", label: "text", value: "number" },
    disagreements.map(([id, says]) => (typeof says === "string" ? [id, says, null] : [id, null, says])),
  );
  // What is no finite number is no truth of a regression.
  const truth = "try_cast(truth AS DOUBLE)";
  const near = (value: string) => `abs(${value} - ${truth}) <= ${sameWithin} * greatest(abs(${value}), abs(${truth}))`;
  const right = (label: string, value: string) =>
    `coalesce(CASE WHEN a.label IS NOT NULL THEN ${label} = truth ELSE ${near(value)} END, false)`;
  const result = await connection.runAndReadAll(`
    SELECT digest, agent, count(*)::DOUBLE, max(ms)::DOUBLE,
           (count(*) FILTER (WHERE other AND mine AND NOT theirs))::DOUBLE,
           (count(*) FILTER (WHERE other AND theirs AND NOT mine))::DOUBLE
    FROM (
      SELECT a.digest, a.agent, epoch_ms(a.time) AS ms, b.id IS NOT NULL AS other,
             ${right("a.label", "a.value")} AS mine, ${right("b.label", "b.value")} AS theirs
      FROM ${answersOf(model)} a JOIN matches USING (id) LEFT JOIN beside b ON b.id = a.id
      WHERE a.source = 'model' AND (a.label IS NOT NULL OR isfinite(${truth})) AND epoch_ms(a.time) >= ${since}
        AND (b.id IS NOT NULL OR EXISTS (SELECT 1 FROM spans s WHERE s.agent = a.agent AND s.digest = a.digest
          AND epoch_ms(a.time) BETWEEN s.from_ms - ${slackMs} AND s.to_ms + ${slackMs})))
    GROUP BY digest, agent`);
  return result.getRows().map(([digest, agent, labelled, until, onlyAnsweringRight, onlyBesideRight]) => ({
    digest: digest as string,
    agent: agent as string,
    labelled: labelled as number,
    until: until as number,
    onlyAnsweringRight: onlyAnsweringRight as number,
    onlyBesideRight: onlyBesideRight as number,
  }));
}
