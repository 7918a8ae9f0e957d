/** Who was right where two versions that were asked the same did not agree, as labels tell it. */
import type { DuckDBConnection } from "@duckdb/node-api";
import { sameWithin } from "@vedette/protocol/shadow";
import type { PairedTruth, PairsRequest } from "../measured.ts";
import { answersOf, loadTable } from "./join-labels.ts";

/** An answer's time and its span's are told apart by this much at most: clocks are read one after the other. ms. */
const slackMs = 50;

/** @param connection after `joinTruth`. */
export async function comparePairs(connection: DuckDBConnection, request: PairsRequest): Promise<PairedTruth[]> {
  const { model, spans, disagreements } = request;
  await loadTable(connection, "spans", { agent: "text", digest: "text", from_ms: "number", to_ms: "number" }, spans);
  await loadTable(
    connection,
    "beside",
    { id: "text", label: "text", value: "number" },
    disagreements.map(([id, says]) => (typeof says === "string" ? [id, says, null] : [id, null, says])),
  );
  const truth = "try_cast(truth AS DOUBLE)";
  const near = (value: string) => `abs(${value} - ${truth}) <= ${sameWithin} * greatest(abs(${value}), abs(${truth}))`;
  const right = (label: string, value: string) =>
    `coalesce(CASE WHEN a.label IS NOT NULL THEN ${label} = truth ELSE ${near(value)} END, false)`;
  const result = await connection.runAndReadAll(`
    SELECT digest, agent, count(*)::DOUBLE,
           (count(*) FILTER (WHERE other AND mine AND NOT theirs))::DOUBLE,
           (count(*) FILTER (WHERE other AND theirs AND NOT mine))::DOUBLE
    FROM (
      SELECT a.digest, a.agent, b.id IS NOT NULL AS other,
             ${right("a.label", "a.value")} AS mine, ${right("b.label", "b.value")} AS theirs
      FROM ${answersOf(model)} a JOIN matches USING (id) LEFT JOIN beside b ON b.id = a.id
      WHERE a.source = 'model' AND EXISTS (
        SELECT 1 FROM spans s WHERE s.agent = a.agent AND s.digest = a.digest
          AND epoch_ms(a.time) BETWEEN s.from_ms - ${slackMs} AND s.to_ms + ${slackMs}))
    GROUP BY digest, agent`);
  return result.getRows().map(([digest, agent, labelled, onlyAnsweringRight, onlyBesideRight]) => ({
    digest: digest as string,
    agent: agent as string,
    labelled: labelled as number,
    onlyAnsweringRight: onlyAnsweringRight as number,
    onlyBesideRight: onlyBesideRight as number,
  }));
}
