/** What a model slot counts: model-slot keeps it, status and metrics read it. */
import { type FallbackReason, fallbackReasons, type Source, sources } from "@vedette/protocol/ids";

/** Of all runs of one version together. */
export interface RunTotals {
  runs: number;
  rows: number;
  /** From the requests' coming to their run's beginning, all of them added up; the others once a run. ms. */
  queueMs: number;
  inputMs: number;
  inferMs: number;
  outputMs: number;
}
/** What one run took. */
export type RunFigures = Readonly<Omit<RunTotals, "runs">>;

export interface SlotCounters {
  /** Rows that the version in place has answered since it was put there. */
  readonly served: number;
  /** Rows answered, by source. */
  readonly sources: Readonly<Record<Source, number>>;
  /** Rows that fell back, by reason. */
  readonly reasons: Readonly<Record<FallbackReason, number>>;
  /** Values outside their ranges, by field. */
  readonly outOfRange: Readonly<Record<string, number>>;
  /** Requests refused as invalid. */
  readonly errors: number;
  /** Rows whose model answer came after the ladder had answered. */
  readonly late: number;
  /** Requests answered from the response cache, and those that were looked up there in vain. */
  readonly cacheHits: number;
  readonly cacheMisses: number;
  /** Of the version in place. */
  readonly runs: Readonly<RunTotals>;
}

export function newCounters() {
  return {
    served: 0,
    sources: zeros(sources),
    reasons: zeros(fallbackReasons),
    outOfRange: {} as Record<string, number>,
    errors: 0,
    late: 0,
    cacheHits: 0,
    cacheMisses: 0,
    runs: noRuns(),
  } satisfies SlotCounters;
}

export function noRuns(): RunTotals {
  return { runs: 0, rows: 0, queueMs: 0, inputMs: 0, inferMs: 0, outputMs: 0 };
}

export function addRun(totals: RunTotals, { rows, queueMs, inputMs, inferMs, outputMs }: RunFigures): void {
  totals.runs++;
  totals.rows += rows;
  totals.queueMs += queueMs;
  totals.inputMs += inputMs;
  totals.inferMs += inferMs;
  totals.outputMs += outputMs;
}

function zeros<K extends string>(keys: readonly K[]): Record<K, number> {
  return Object.fromEntries(keys.map((key) => [key, 0])) as Record<K, number>;
}
