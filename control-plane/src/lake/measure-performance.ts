/**
 * Losses of labelled predictions by version, slice and time, folded in the order in which their labels were told: what came
 * before is never changed by what comes later, so that an interval holds however often one looks.
 */
import type { DuckDBConnection, DuckDBValue } from "@duckdb/node-api";
import { VedetteError } from "@vedette/protocol/errors";
import type { PerformanceGroup, PerformanceRequest, SliceBy } from "../measured.ts";
import { quoteName, quoteText } from "../sql-text.ts";
import { noRisk, observeLoss, type RiskState } from "../statistics/risk-sequence.ts";
import { answersOf, loadTable } from "./join-labels.ts";

/** Ranges that a numeric field is cut into: each holds a like number of answers, labelled or not. */
const cuts = [0.25, 0.5, 0.75];
/** Texts of a field that have a slice of their own. */
const mostTexts = 20;

/**
 * @param connection after `joinTruth`.
 * @throws VedetteError invalid_argument where errors are to be measured and no scale is known, or there is no such field.
 */
export async function measurePerformance(
  connection: DuckDBConnection,
  request: PerformanceRequest,
): Promise<PerformanceGroup[]> {
  const { model, by, everyDays, error, scale } = request;
  await loadTable(connection, "slices", { agent: "text", slice: "text" }, by.kind === "label" ? by.values : []);
  await loadTable(
    connection,
    "chosen",
    { agent: "text" },
    (request.agents ?? []).map((agent) => [agent]),
  );
  const slice = await sliceOf(connection, model, by);
  const day = everyDays === undefined ? "NULL" : `floor(epoch_ms(time) / ${everyDays * 86_400_000}.0) * ${everyDays}`;
  await connection.run(`CREATE VIEW asked AS
    SELECT a.id, version::DOUBLE AS version, digest, ${slice} AS slice, CAST(${day} AS DOUBLE) AS day, time,
           label IS NOT NULL AS classes, label AS said, value
    FROM ${answersOf(model)} a ${by.kind === "label" ? "LEFT JOIN slices s ON s.agent = a.agent" : ""}
    WHERE ${conditions(request).join(" AND ")}`);

  const groups = new Map<string, PerformanceGroup>();
  const counted = await connection.runAndReadAll(`
    SELECT version, digest, slice, day, classes, count(*)::DOUBLE, count(truth)::DOUBLE,
           (count(*) FILTER (WHERE NOT classes AND truth IS NOT NULL AND ${truthNumber} IS NULL))::DOUBLE
    FROM asked LEFT JOIN matches USING (id) GROUP BY ALL`);
  for (const row of counted.getRows()) {
    const [version, digest, name, from, classes, predictions, labelled, unreadable] = row;
    groups.set(keyOf(row), {
      version: version as number | null,
      digest: digest as string | null,
      slice: name as string | null,
      day: from as number | null,
      classes: classes as boolean,
      predictions: predictions as number,
      labelled: labelled as number,
      unreadable: unreadable as number,
      risk: noRisk,
    });
  }
  const measured = [...groups.values()];
  if (scale === undefined && measured.some((group) => !group.classes && group.labelled > group.unreadable)) {
    throw new VedetteError(
      "invalid_argument",
      `${model} answers numbers, and no training error is known: say with a scale from which error on all are equally bad`,
    );
  }

  const share = `least(abs(value - ${truthNumber}) / ${scale ?? 1}, 1)`;
  const loss = `CASE WHEN classes THEN (said <> truth)::DOUBLE WHEN ${truthNumber} IS NOT NULL
    THEN ${error === "squared" ? `power(${share}, 2)` : share} END`;
  const result = await connection.stream(`
    SELECT version, digest, slice, day, classes, ${loss} AS loss
    FROM asked JOIN matches USING (id) WHERE loss IS NOT NULL ORDER BY arrival, time, id`);
  const risks = new Map<string, RiskState>();
  for await (const rows of result.yieldRows()) {
    for (const row of rows) {
      const key = keyOf(row);
      risks.set(key, observeLoss(risks.get(key) ?? noRisk, row[5] as number));
    }
  }
  return [...groups].map(([key, group]) => ({ ...group, risk: risks.get(key) ?? noRisk })).sort(inOrder);
}

/** What is no finite number is no truth of a regression. */
const truthNumber = "CASE WHEN isfinite(try_cast(truth AS DOUBLE)) THEN try_cast(truth AS DOUBLE) END";

function conditions({ version, since, until, agents, by }: PerformanceRequest): string[] {
  return [
    ...(by.kind === "source" ? ["true"] : ["source = 'model'"]),
    ...(version === undefined ? [] : [`version = ${Math.trunc(version)}`]),
    ...(since === undefined ? [] : [`time >= CAST(${quoteText(since)} AS TIMESTAMP)`]),
    ...(until === undefined ? [] : [`time < CAST(${quoteText(until)} AS TIMESTAMP)`]),
    ...(agents === undefined ? [] : ["a.agent IN (SELECT agent FROM chosen)"]),
  ];
}

/** SQL that names the slice of a row. */
async function sliceOf(connection: DuckDBConnection, model: string, by: SliceBy): Promise<string> {
  if (by.kind === "label") return "s.slice";
  if (by.kind !== "field") return { all: "CAST(NULL AS VARCHAR)", device: "a.agent", source: "a.source" }[by.kind];
  const column = quoteName(by.column);
  const described = await connection.runAndReadAll("SELECT column_name, column_type FROM (DESCRIBE predictions)");
  const type = described.getRows().find(([name]) => name === by.column)?.[1];
  if (type === undefined) {
    throw new VedetteError(
      "invalid_argument",
      `no answer of ${model} has a value in ${by.column} yet: ask for another field`,
    );
  }
  if (type === "VARCHAR") {
    const top = await connection.runAndReadAll(
      `SELECT ${column} FROM ${answersOf(model)} WHERE ${column} IS NOT NULL
       GROUP BY ALL ORDER BY count(*) DESC, ${column} LIMIT ${mostTexts}`,
    );
    const texts = top.getRows().map(([text]) => quoteText(String(text)));
    if (texts.length < mostTexts) return `a.${column}`;
    return `CASE WHEN a.${column} IS NULL OR a.${column} IN (${texts.join(", ")}) THEN a.${column} ELSE '(others)' END`;
  }
  const found = await connection.runAndReadAll(
    `SELECT unnest(quantile_disc(${column}::DOUBLE, [${cuts.join(", ")}])) FROM ${answersOf(model)} WHERE ${column} IS NOT NULL`,
  );
  const edges = [...new Set(found.getRows().map(([edge]) => edge as number))].filter(Number.isFinite);
  return ranges(`a.${column}::DOUBLE`, edges);
}

/** `below 3`, `3 to below 8`, `8 and more`; NULL for a missing value. */
function ranges(value: string, edges: readonly number[]): string {
  const [first, ...more] = edges;
  if (first === undefined) return `CASE WHEN ${value} IS NOT NULL THEN 'all values' END`;
  const show = (edge: number) => String(Number(edge.toPrecision(6)));
  const cases = [
    `WHEN ${value} < ${first} THEN 'below ${show(first)}'`,
    ...more.map((edge, i) => `WHEN ${value} < ${edge} THEN '${show(edges[i] as number)} to below ${show(edge)}'`),
  ];
  return `CASE ${cases.join(" ")} WHEN ${value} IS NOT NULL THEN '${show(edges.at(-1) as number)} and more' END`;
}

function keyOf(row: readonly DuckDBValue[]): string {
  return JSON.stringify(row.slice(0, 5));
}

function inOrder(a: PerformanceGroup, b: PerformanceGroup): number {
  const natural = (x: string | null, y: string | null) =>
    (x ?? "\uffff").localeCompare(y ?? "\uffff", "en", { numeric: true });
  // Of a number's ranges the lowest is the one that begins with a word.
  const lowest = ({ slice }: PerformanceGroup) => (slice?.startsWith("below ") ? 0 : 1);
  return (
    (a.version ?? 0) - (b.version ?? 0) ||
    lowest(a) - lowest(b) ||
    natural(a.slice, b.slice) ||
    (a.day ?? 0) - (b.day ?? 0) ||
    natural(a.digest, b.digest)
  );
}
