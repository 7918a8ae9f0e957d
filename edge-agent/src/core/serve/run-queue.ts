/**
 * Runs of one version's session: one at a time, with all rows that came meanwhile, within the latency budget. model-slot
 * adds jobs and answers them; whatever the session does, every job is handed back exactly once, at its deadline at last.
 */
import { messageOf } from "@vedette/protocol/errors";
import type { ModelInputs } from "@vedette/protocol/tensors";
import type { PredictRequest } from "../agent.ts";
import type { Ports } from "../ports.ts";
import { decodeOutputs, type ModelAnswer, neededOutputs } from "./decode-outputs.ts";
import { feederOf, fixedBatch } from "./feeds.ts";
import { joinInputs, sliceInputs } from "./join-inputs.ts";
import type { ServingVersion } from "./serving-version.ts";
import type { RunFigures } from "./slot-counters.ts";

export interface Job {
  readonly request: PredictRequest;
  /** Rows. */
  readonly n: number;
  /** Rows that the input schema refuses. */
  readonly refused: readonly boolean[] | null;
  /** Monotonic ms. */
  readonly started: number;
  /** Handed back: what still comes for it is late. */
  done: boolean;
}
/** By row, null where the outputs were no numbers; or why the model did not answer in time or at all. */
export type RunResult = readonly (ModelAnswer | null)[] | "exception" | "latency_budget";

/** What the runs of one group took, all of them together. */
export interface RunTook {
  /** From asking to the answer. ms. */
  readonly wallMs: number;
  /** By the session's own watch; undefined where it has none. ms. */
  readonly ownMs: number | undefined;
  readonly runs: number;
}

export interface RunQueue<J extends Job> {
  add(job: J): void;
  /** There are jobs that no run has taken. */
  readonly waits: boolean;
  /** For the end of a version: resolves when nothing runs and nothing waits, and leaves no timer behind. */
  idle(): Promise<void>;
}

/**
 * @param options.schedule calls once, when the jobs of this tick are all there.
 * @param options.cap rows of one run.
 * @param options.finish takes jobs that are decided, with the answers of all their rows in order. Never throws.
 * @param options.late is told of rows whose answer came after their deadline.
 * @param options.failed is told what the session said where a run failed, before its jobs are handed back.
 * @param options.ran is told of each run that the session ended.
 * @param options.ended is told of each group of jobs that was run, after they were handed back: of all their rows' answers,
 *   or null where the run failed, and what it took, which holds until it returns. Never throws.
 */
export function createRunQueue<J extends Job>(options: {
  version: Pick<ServingVersion, "digest" | "manifest" | "session">;
  ports: Pick<Ports, "clock" | "log">;
  schedule: (call: () => void) => void;
  cap: number;
  finish: (jobs: readonly J[], result: RunResult) => void;
  late: (rows: number) => void;
  failed?: (why: string) => void;
  ran?: (figures: RunFigures) => void;
  ended?: (jobs: readonly J[], answers: readonly (ModelAnswer | null)[] | null, took: RunTook) => void;
}): RunQueue<J> {
  const { version, ports, schedule, finish, late, ran, ended } = options;
  const { clock, log } = ports;
  const { manifest, session } = version;
  const budget = manifest.limits.latencyMs;
  const wanted = neededOutputs(manifest.output);
  const feed = feederOf(manifest);
  const fields = manifest.input.fields.length;
  const cap = fixedBatch(manifest) ?? options.cap;
  let waiting: J[] = [];
  /** In the order of their deadlines. */
  let undecided: J[] = [];
  let active = false;
  let cancelDeadline: (() => void) | undefined;
  let saidFailed = false;
  /** Of the group that is being run: one for all, since runs follow one another. */
  const took = { wallMs: 0, ownMs: 0 as number | undefined, runs: 0 };
  const idlers: (() => void)[] = [];

  function inTime({ request, started }: J, now: number): boolean {
    return request.patient === true || now - started <= budget;
  }

  function arm(): void {
    const first = undecided[0];
    if (cancelDeadline || !first) return;
    // Not cancelled when its jobs are decided: one timer a budget costs less than one a request.
    cancelDeadline = clock.after(first.started + budget - clock.monotonic(), () => {
      cancelDeadline = undefined;
      const now = clock.monotonic();
      decide(
        undecided.filter((job) => now - job.started >= budget),
        "latency_budget",
      );
      waiting = waiting.filter((job) => !job.done);
      arm();
    });
  }

  function decide(jobs: readonly J[], result: RunResult): void {
    if (jobs.length === 0) return;
    for (const job of jobs) job.done = true;
    undecided = undecided.filter((job) => !job.done);
    finish(jobs, result);
  }

  async function drain(): Promise<void> {
    // `add` has waited a tick for company: a request that is alone by now is asked at once.
    await gather(1);
    while (waiting.length > 0) {
      await runGroup(takeGroup());
      await gather(0);
    }
    active = false;
    for (const call of idlers.splice(0)) call();
  }

  /**
   * A run costs more than to wait a tick for those that are coming: as long as each tick brings some, and a run has room.
   * @param before as many as are not worth a tick by themselves.
   */
  async function gather(before: number): Promise<void> {
    for (let known = before; waiting.length > known && rowsOfJobs(waiting) < cap; ) {
      known = waiting.length;
      await new Promise<void>(schedule);
    }
  }

  /** Whole jobs, as many as one run takes; a job with more rows than that goes alone, in several runs. */
  function takeGroup(): J[] {
    let rows = 0;
    let count = 0;
    for (const job of waiting) {
      if (count > 0 && (rows + job.n > cap || !sameShapes(job, waiting[0] as J))) break;
      rows += job.n;
      count++;
    }
    return waiting.splice(0, count);
  }

  async function runGroup(group: readonly J[]): Promise<void> {
    let answers: readonly (ModelAnswer | null)[];
    try {
      answers = await run(group);
    } catch (error) {
      if (group.length > 1) {
        // One request must not spoil the answers of those that came in the same tick.
        for (const job of group) if (!job.done) await runGroup([job]);
        return;
      }
      if (!saidFailed) log.warn("model_failed", { digest: version.digest, error: messageOf(error) });
      saidFailed = true;
      options.failed?.(messageOf(error));
      decide(
        group.filter((job) => !job.done),
        "exception",
      );
      ended?.(group, null, took);
      return;
    }
    hand(group, answers);
    ended?.(group, answers, took);
  }

  /** Gives each job its rows' answers; jobs past their deadline go to the ladder, and the result is counted as late. */
  function hand(group: readonly J[], answers: readonly (ModelAnswer | null)[]): void {
    const now = clock.monotonic();
    if (group.every((job) => !job.done && inTime(job, now))) {
      decide(group, answers);
      return;
    }
    const kept: J[] = [];
    const tooLate: J[] = [];
    const keptAnswers: (ModelAnswer | null)[] = [];
    let at = 0;
    for (const job of group) {
      if (job.done || !inTime(job, now)) {
        late(job.n);
        if (!job.done) tooLate.push(job);
      } else {
        kept.push(job);
        for (let i = 0; i < job.n; i++) keptAnswers.push(answers[at + i] ?? null);
      }
      at += job.n;
    }
    decide(tooLate, "latency_budget");
    decide(kept, keptAnswers);
  }

  async function run(group: readonly J[]): Promise<readonly (ModelAnswer | null)[]> {
    const inputs = joinInputs(group);
    const n = inputs.rows.length / fields;
    const began = clock.monotonic();
    took.wallMs = 0;
    took.ownMs = 0;
    took.runs = 0;
    let queueMs = 0;
    for (const job of group) queueMs += began - job.started;
    if (n <= cap) return runOnce(inputs, n, queueMs);
    const answers: (ModelAnswer | null)[] = [];
    for (let at = 0; at < n; at += cap) {
      // Nobody waits any more: a long request must not hold up the next.
      if (group.every((job) => job.done)) break;
      const count = Math.min(cap, n - at);
      answers.push(...(await runOnce(sliceInputs(inputs, at, at + count, fields), count, at === 0 ? queueMs : 0)));
    }
    return answers;
  }

  async function runOnce(inputs: ModelInputs, n: number, queueMs: number): Promise<(ModelAnswer | null)[]> {
    const began = clock.monotonic();
    const feeds = feed(inputs, n);
    const fed = clock.monotonic();
    const outputs = await session.run(feeds, wanted);
    const inferred = clock.monotonic();
    took.wallMs += inferred - fed;
    took.ownMs = took.ownMs === undefined || session.ranMs === undefined ? undefined : took.ownMs + session.ranMs;
    took.runs++;
    const answers = decodeOutputs(outputs, manifest.output, n);
    const outputMs = clock.monotonic() - inferred;
    ran?.({ rows: n, queueMs, inputMs: fed - began, inferMs: inferred - fed, outputMs });
    return answers;
  }

  return {
    add(job) {
      waiting.push(job);
      if (!job.request.patient) undecided.push(job);
      arm();
      if (active) return;
      active = true;
      schedule(() => {
        drain().catch((error: unknown) => log.error("run_queue_failed", { error: messageOf(error) }));
      });
    },
    get waits() {
      return waiting.length > 0;
    },
    async idle() {
      if (active) await new Promise<void>((resolve) => idlers.push(resolve));
      cancelDeadline?.();
    },
  };
}

/** Sequences of other lengths cannot lie in one tensor. */
function sameShapes({ request: { tensors: a } }: Job, { request: { tensors: b } }: Job): boolean {
  if (a === undefined || b === undefined) return a === b;
  return Object.entries(a).every(([name, { shape }]) =>
    shape.every((size, i) => i === 0 || size === b[name]?.shape[i]),
  );
}

function rowsOfJobs(jobs: readonly Job[]): number {
  let rows = 0;
  for (const { n } of jobs) rows += n;
  return rows;
}
