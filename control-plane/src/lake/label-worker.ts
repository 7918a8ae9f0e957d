/**
 * The label thread: keeps labels and business metrics, and holds them against the lake. Apart from the lake's thread, so
 * that a long look at performance keeps no batch from its file; started by the first call.
 */
import { workerData } from "node:worker_threads";
import type { DuckDBConnection } from "@duckdb/node-api";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { LabelStatus } from "@vedette/protocol/labels-api";
import { z } from "zod";
import type { PairsRequest, PerformanceRequest, UnitsRequest } from "../measured.ts";
import { openTables } from "../monitoring/inbox-tables.ts";
import { forgetLabels } from "../monitoring/labels/forget-labels.ts";
import { type LabelRecord, type LabelTotals, labelTable } from "../monitoring/labels/label-table.ts";
import { type MetricRecord, metricTable } from "../monitoring/labels/metric-table.ts";
import { serveCalls } from "../monitoring/worker-thread.ts";
import { comparePairs } from "./compare-pairs.ts";
import { answersOf, joinTruth, loadTable, loadTruth } from "./join-labels.ts";
import { measureArms } from "./measure-arms.ts";
import { measurePerformance } from "./measure-performance.ts";
import { withPredictions } from "./query.ts";
import { summariseMetrics } from "./summarise-metrics.ts";

/** Rows of one commit: the inbox's thread waits for the lock no longer than that takes. */
const commitRows = 1000;
const memory = "512MB";
/** ms until a question is stopped. */
const timeMs = 120_000;

const { inboxPath } = z.object({ inboxPath: z.string() }).parse(workerData);
const db = openTables(inboxPath);
const labels = labelTable(db);
const metrics = metricTable(db);
const forget = forgetLabels(db);
const column = db.prepare<[string, string], { name: string }>(
  "SELECT name FROM lake_columns WHERE model = ? AND original = ?",
);

type Held = Pick<LabelStatus["models"][number], "joined" | "ambiguous" | "predictions" | "labelled">;

const calls = {
  add: ({ rows, received }: { rows: readonly LabelRecord[]; received: number }) => {
    const parts = inCommits(rows).map((part) => labels.add(part, received));
    return addUp(parts, { stored: 0, repeated: 0, corrected: 0, outdated: 0, erased: 0 });
  },
  addMetrics: ({ rows, received }: { rows: readonly MetricRecord[]; received: number }) => {
    const parts = inCommits(rows).map((part) => metrics.add(part, received));
    return addUp(parts, { stored: 0, repeated: 0, erased: 0 });
  },
  totals: (): LabelTotals[] => labels.totals(),
  column: ({ model, original }: { model: string; original: string }) => column.get(model, original)?.name,
  /** How the labels of a model stand to its predictions. @param paths files with rows of the model. */
  status: ({ model, paths }: { model: string; paths: readonly string[] }): Promise<Held> =>
    overLake(paths, async (connection) => {
      await loadTruth(connection, labels.truth(model));
      await joinTruth(connection, model);
      const reader = await connection.runAndReadAll(`SELECT
        (SELECT count(DISTINCT arrival) FROM joined)::DOUBLE, (SELECT count(*) FROM requests WHERE rows > 1)::DOUBLE,
        (SELECT count(*) FROM ${answersOf(model)})::DOUBLE, (SELECT count(*) FROM matches)::DOUBLE`);
      const [joined, ambiguous, predictions, labelled] = z
        .tuple([z.int(), z.int(), z.int(), z.int()])
        .parse(reader.getRows()[0]);
      return { joined, ambiguous, predictions, labelled };
    }),
  performance: ({ paths, ...request }: PerformanceRequest & { paths: readonly string[] }) =>
    overLake(paths, async (connection) => {
      await loadTruth(connection, labels.truth(request.model));
      await joinTruth(connection, request.model);
      return await measurePerformance(connection, request);
    }),
  pairs: ({ paths, ...request }: PairsRequest & { paths: readonly string[] }) =>
    overLake(paths, async (connection) => {
      await loadTruth(connection, labels.truth(request.model));
      await joinTruth(connection, request.model);
      return await comparePairs(connection, request);
    }),
  metrics: ({ model, paths }: { model: string | undefined; paths: readonly string[] }) =>
    overLake(paths, (connection) => summariseMetrics(connection, metrics.all(model))),
  /** What an experiment compares. */
  units: ({ paths, ...request }: UnitsRequest & { paths: readonly string[] }) =>
    overLake(paths, (connection) => measureArms(connection, request, metrics.all(request.model))),
  /** Labels and metrics that came after their row was erased go, too. */
  forgetErased: ({ paths }: { paths: readonly string[] }) =>
    overLake(paths, async (connection) => {
      await loadTruth(connection, labels.truth());
      const reader = await connection.runAndReadAll(
        "SELECT DISTINCT arrival FROM predictions p JOIN truth t ON t.kind = 0 AND t.key = p.id WHERE coalesce(p.erased, false)",
      );
      const arrivals = reader.getRows().map(([arrival]) => Number(arrival));
      await loadTable(
        connection,
        "came_of",
        { id: "text" },
        [...metrics.predictions()].map((id) => [id]),
      );
      const erased = await connection.runAndReadAll(
        "SELECT DISTINCT id FROM predictions JOIN came_of USING (id) WHERE coalesce(erased, false)",
      );
      const predictions = erased.getRows().map(([id]) => String(id));
      db.transaction(() => {
        forget.arrived(arrivals);
        forget.metricsOf(predictions);
      }).immediate();
    }),
  close: () => void db.close(),
};
export type LabelCalls = typeof calls;

serveCalls(calls);

/** One question over files of the lake, within bounds. @throws VedetteError timeout, too_large. */
function overLake<T>(paths: readonly string[], work: (connection: DuckDBConnection) => Promise<T>): Promise<T> {
  return withPredictions(paths, memory, async (connection) => {
    let late = false;
    const timer = setTimeout(() => {
      late = true;
      connection.interrupt();
    }, timeMs);
    try {
      return await work(connection);
    } catch (cause) {
      const askForLess = "ask for less, as by --version or --since";
      if (late) {
        throw new VedetteError("timeout", `joining labels took over ${timeMs} ms and was stopped: ${askForLess}`, {
          cause,
        });
      }
      if (/^Out of Memory Error/.test(messageOf(cause))) {
        throw new VedetteError("too_large", `joining labels takes over ${memory} of memory: ${askForLess}`, { cause });
      }
      throw cause;
    } finally {
      clearTimeout(timer);
    }
  });
}

function inCommits<T>(rows: readonly T[]): T[][] {
  const parts: T[][] = [];
  for (let from = 0; from < rows.length; from += commitRows) parts.push(rows.slice(from, from + commitRows));
  return parts;
}

function addUp<K extends string>(parts: readonly Record<K, number>[], zero: Record<K, number>): Record<K, number> {
  const sum = { ...zero };
  for (const part of parts) for (const what of Object.keys(sum) as K[]) sum[what] += part[what];
  return sum;
}
