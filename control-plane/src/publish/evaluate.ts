/** Runs the model over the reference rows, reads what it answered, and measures what one row costs. Talks to a graph only. */
import { VedetteError } from "@vedette/protocol/errors";
import { feederOfGraph, fixedBatchOf } from "@vedette/protocol/feeds";
import type { Graph, Output } from "./graph.ts";
import { isMissing } from "./input-schema.ts";
import type { Reference } from "./reference.ts";

/** Larger batches gain nothing on small models, and slow down tree ensembles. */
const batchRows = 256;
/** Numbers in one question: a hundred images at once would take a process's memory. */
const batchValues = 1024 * 1024;

/** The graph's answers to some rows of the reference data. */
export async function answerAll(
  graph: Graph,
  data: Reference,
  rows: readonly number[],
): Promise<Record<string, Output>> {
  const feed = feederOfGraph(data.graphInputs, data.input.fields);
  const atOnce = fixedBatchOf(graph.inputs) ?? Math.max(1, Math.min(batchRows, Math.floor(batchValues / data.width)));
  const parts = new Map<string, { shape: readonly number[]; data: (number | string)[]; rows: number }>();
  for (let at = 0; at < rows.length; at += atOnce) {
    const some = rows.slice(at, at + atOnce);
    const answers = await graph.run(feed(data.take(some), some.length));
    for (const [name, { shape, data }] of Object.entries(answers)) {
      const part = parts.get(name) ?? { shape: shape.slice(1), data: [], rows: 0 };
      // Where the graph's batch is fixed, the last may answer more rows than were asked.
      const answered = fixedBatchOf(graph.inputs) === shape[0] ? some.length : (shape[0] ?? 0);
      const values = answered === shape[0] ? data : data.slice(0, (data.length / (shape[0] ?? 1)) * answered);
      for (const value of values) part.data.push(value);
      part.rows += answered;
      parts.set(name, part);
    }
  }
  return Object.fromEntries(
    [...parts].map(([name, { shape, data, rows: answered }]) => [name, { shape: [answered, ...shape], data }]),
  );
}

/** Median ms of one row answered alone, after warming up. */
export async function measureLatency(graph: Graph, data: Reference, monotonic: () => number): Promise<number> {
  const feeds = feederOfGraph(data.graphInputs, data.input.fields)(data.take([0]), 1);
  const times: number[] = [];
  for (let i = 0; i < 40; i++) {
    const start = monotonic();
    await graph.run(feeds);
    if (i >= 10) times.push(monotonic() - start);
  }
  return times.sort((a, b) => a - b)[15] as number;
}

/** Indices of up to `most` of `n` rows, evenly spread, first and last among them. */
export function spread(n: number, most: number): number[] {
  if (n <= most) return Array.from({ length: n }, (_, i) => i);
  if (most === 1) return [0];
  return Array.from({ length: most }, (_, i) => Math.round((i * (n - 1)) / (most - 1)));
}

/** What one output answers to one row. */
export function rowOf(output: Output, row: number, n: number): readonly (number | string)[] {
  const width = output.data.length / n;
  return output.data.slice(row * width, (row + 1) * width);
}

/** Whether every output answers this row with numbers that are numbers. */
export function finite(answers: Readonly<Record<string, Output>>, row: number, n: number): boolean {
  return Object.values(answers).every((output) =>
    rowOf(output, row, n).every((value) => typeof value === "string" || Number.isFinite(value)),
  );
}

/**
 * Whether rows with missing values get finite answers.
 * @param rows which of the reference data were answered.
 * @throws VedetteError invalid_model where a complete row does not.
 */
export function copesWithMissing(data: Reference, rows: readonly number[], answers: Record<string, Output>): boolean {
  let copes = true;
  for (const [at, row] of rows.entries()) {
    if (finite(answers, at, rows.length)) continue;
    const values = data.columns.map((column) => column?.[row]);
    if (!values.some(isMissing)) {
      throw new VedetteError(
        "invalid_model",
        `the model answers NaN or infinity to a complete row of the reference data (${data.columns.every((column) => column === undefined) ? `row ${row}` : values.slice(0, 8).join(", ")}): it cannot be served`,
      );
    }
    copes = false;
  }
  return copes;
}
