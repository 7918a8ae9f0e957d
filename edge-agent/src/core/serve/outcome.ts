/**
 * What came of one run, for those who judge the version that answered: model-slot tells it once the answers are given, and
 * `trips.ts` makes evidence of it. Pure.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import type { FallbackReason } from "@vedette/protocol/ids";
import { ruleOfField } from "@vedette/protocol/log-policy";
import type { RunResult } from "./run-queue.ts";

/** What came of the rows of one run: evidence for probation. */
export interface Outcome {
  readonly n: number;
  /** Rows whose run threw. */
  readonly failed: number;
  /** Rows whose outputs were no finite numbers. */
  readonly nan: number;
  readonly overBudget: number;
  /** Rows that the model answered with too little confidence, so that the ladder did. */
  readonly unsure: number;
  /** What the runtime said of the run that threw. It may tell of its inputs: only where those may leave the device. */
  readonly why?: string;
}

/** Whether the model was asked, or was to be: other reasons say nothing of it. */
export function isOfRun(result: RunResult | FallbackReason): result is RunResult {
  return typeof result !== "string" || result === "exception" || result === "latency_budget";
}

/**
 * @param jobs whose rows were run together, `n` each.
 * @param seen.failure what the runtime said when a run failed last; null where it said nothing.
 * @param cap rows that one run takes.
 */
export function outcomeOf(
  jobs: readonly { readonly n: number }[],
  result: RunResult,
  seen: { readonly nan: number; readonly unsure: number; readonly failure: string | null; readonly manifest: Manifest },
  cap: number,
): Outcome {
  const { nan, unsure, failure, manifest } = seen;
  const late = result === "latency_budget";
  const threw = result === "exception";
  let n = 0;
  // A request of more rows than one run takes says nothing of how long the model takes.
  for (const job of jobs) if (!late || job.n <= cap) n += job.n;
  return {
    n,
    failed: threw ? n : 0,
    nan,
    overBudget: late ? n : 0,
    unsure,
    ...(threw && failure !== null && tellsInputs(manifest) && { why: failure }),
  };
}

/** Whether the log policy lets all inputs leave the device. */
function tellsInputs({ log, input }: Manifest): boolean {
  return input.fields.every(({ name }) => ruleOfField(log, name).mode === "full");
}
