/**
 * Asks a second version what the answering one was asked, after its answers are given and logged: in a queue of its own,
 * within limits of rows, bytes and time, and never while a request waits. model-slot tells it of the runs that ended; what
 * it finds goes to `pair-watch.ts`. Whatever the second version does, no answer waits for it.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import { messageOf } from "@vedette/protocol/errors";
import type { ModelInputs } from "@vedette/protocol/tensors";
import type { PredictRequest } from "../agent.ts";
import type { Ports, Session } from "../ports.ts";
import type { ModelAnswer } from "../serve/decode-outputs.ts";
import { joinInputs } from "../serve/join-inputs.ts";
import type { RunTook } from "../serve/run-queue.ts";
import type { RejectReason } from "../store/reject-reason.ts";
import { createTimer } from "../timing.ts";
import { bytesOf, pairInputsOf } from "./pair-inputs.ts";
import type { PairWatch } from "./pair-watch.ts";
import { createBesideRun, timeOf } from "./run-beside.ts";
import { sampled } from "./sampled.ts";

/** A request that was run. */
interface AskedJob {
  readonly request: PredictRequest;
  /** Rows. */
  readonly n: number;
  readonly refused: readonly boolean[] | null;
  /** Number of its first prediction; −1 where its answer is not given yet. */
  readonly given: number;
}

export interface BesideAsker {
  /** Digest of the version whose runs it is to be told of. */
  readonly answering: string;
  /**
   * A run of the answering version has ended, and was answered for.
   * @param answers of all rows in order; null where it failed. @param took holds until this returns.
   */
  ended(jobs: readonly AskedJob[], answers: readonly (ModelAnswer | null)[] | null, took: RunTook): void;
  /** Asks no more. @param over the pair is done with. */
  close(over: boolean): void;
}

export interface BesideLimits {
  /** Rows that may wait; those that come while they do are skipped. */
  readonly waitingRows: number;
  readonly waitingBytes: number;
  /** Most rows of one request, where nothing else waits. */
  readonly requestRows: number;
  /** Time that it may take: so much for each ms that the answering version ran, and for each ms that passes. */
  readonly shareOfAnswering: number;
  readonly shareOfTime: number;
  /** Time that may be saved up, ms. */
  readonly savedMs: number;
  /** A run that did not end after so long hangs: so many latency budgets, at least so many ms. */
  readonly hangBudgets: number;
  readonly hangMs: number;
  /** A queue that found requests waiting looks again, ms. */
  readonly againMs: number;
}
const besideLimits: BesideLimits = {
  waitingRows: 256,
  waitingBytes: 8 * 2 ** 20,
  requestRows: 4096,
  shareOfAnswering: 1,
  shareOfTime: 0.05,
  savedMs: 1000,
  hangBudgets: 20,
  hangMs: 5_000,
  againMs: 2,
};

interface Waiting {
  readonly inputs: ModelInputs;
  readonly rows: number;
  readonly bytes: number;
  readonly jobs: readonly Pick<AskedJob, "n" | "refused" | "given">[];
  readonly answers: readonly (ModelAnswer | null)[] | null;
  readonly took: RunTook;
  /** When it was answered, UTC ms. */
  readonly at: number;
}
interface Version {
  readonly digest: string;
  readonly manifest: Manifest;
}

/**
 * @param options.sample of the runs, how large a share is asked of both.
 * @param options.busy whether a request waits that no run has taken.
 * @param options.idOf `epoch.n` of a prediction's number.
 * @param options.failed is called once, where it must not be asked any more.
 * @throws VedetteError unsupported where the two cannot be asked the same; invalid_manifest where it cannot be fed.
 */
export function createBesideAsker(options: {
  answering: Version;
  beside: Version & { readonly session: Session };
  sample: number;
  watch: PairWatch;
  ports: Pick<Ports, "clock" | "log">;
  busy: () => boolean;
  idOf: (n: number) => string;
  failed: (reason: RejectReason, why: string) => void;
  limits?: Partial<BesideLimits>;
}): BesideAsker {
  const { answering, beside, sample, watch, busy, idOf } = options;
  const { clock, log } = options.ports;
  const limits = { ...besideLimits, ...options.limits };
  const copy = pairInputsOf(answering.manifest, beside.manifest);
  const hangMs = Math.max(limits.hangMs, limits.hangBudgets * beside.manifest.limits.latencyMs);
  const run = createBesideRun({
    ...{ version: beside, ports: options.ports, hangMs, slackMs: limits.hangMs },
    closed: () => closed,
  });
  let waiting: Waiting[] = [];
  let waitingRows = 0;
  let waitingBytes = 0;
  /** Rows that it is being asked. */
  let running = 0;
  let closed = false;
  /** ms of runs that it may still take. */
  let credit = limits.savedMs;
  let creditAt = clock.monotonic();
  const again = createTimer(clock, pump);

  function earn(ms: number): void {
    const now = clock.monotonic();
    credit = Math.min(limits.savedMs, credit + ms * limits.shareOfAnswering + (now - creditAt) * limits.shareOfTime);
    creditAt = now;
  }

  function take(jobs: readonly AskedJob[], rows: number, answers: Waiting["answers"], took: RunTook): boolean {
    const first = jobs[0]?.given ?? -1;
    // A run that nobody waited for to its end has not answered all its rows.
    if (jobs.some(({ given }) => given < 0) || (answers && answers.length < rows)) return false;
    if (!sampled(first, sample) || credit <= 0) return false;
    const room = waiting.length === 0 ? limits.requestRows : limits.waitingRows - waitingRows;
    if (rows > room) return false;
    const inputs = copy(joinInputs(jobs), rows);
    const bytes = bytesOf(inputs);
    if (waiting.length > 0 && waitingBytes + bytes > limits.waitingBytes) return false;
    const about = jobs.map(({ n, refused, given }) => ({ n, refused, given }));
    waiting.push({ inputs, rows, bytes, jobs: about, answers, took: { ...took }, at: clock.now() });
    waitingRows += rows;
    waitingBytes += bytes;
    return true;
  }

  function pump(): void {
    if (running > 0 || closed || waiting.length === 0) return;
    if (busy()) {
      if (!again.waiting) again.in(limits.againMs);
      return;
    }
    const next = waiting.shift() as Waiting;
    waitingRows -= next.rows;
    waitingBytes -= next.bytes;
    running = next.rows;
    ask(next)
      .catch((error: unknown) => log.error("shadow.not_counted", { digest: beside.digest, why: messageOf(error) }))
      .finally(() => {
        running = 0;
        // Requests that came meanwhile go first.
        if (!closed && waiting.length > 0) again.in(0);
      });
  }

  async function ask({ inputs, rows, jobs, answers, took, at }: Waiting): Promise<void> {
    const started = clock.monotonic();
    const { side, own, hangs } = await run(inputs, rows, took);
    credit -= clock.monotonic() - started;
    if (closed) return;
    const places = placesOf(jobs);
    const seen = {
      rows,
      answering: {
        manifest: answering.manifest,
        answers,
        refused: (row: number) => refusedAt(jobs, places, row),
        ms: answers && timeOf(took, own),
      },
      beside: side,
      id: (row: number) => idOf(numberAt(jobs, places, row)),
    };
    watch.add(seen, at);
    running = 0; // it is counted, also where it is closed now
    if (hangs) options.failed("latency_budget", `a run of it did not end within ${hangMs + limits.hangMs} ms`);
  }

  return {
    answering: answering.digest,
    ended(jobs, answers, took) {
      if (closed) return;
      earn(took.wallMs);
      let rows = 0;
      for (const { n } of jobs) rows += n;
      if (take(jobs, rows, answers, took)) {
        if (running === 0 && !again.waiting) again.in(0);
      } else watch.skip(rows, clock.now());
    },
    close(over) {
      if (closed) return;
      closed = true;
      again.cancel();
      if (waitingRows + running > 0) watch.skip(waitingRows + running, clock.now());
      waiting = [];
      watch.close(over);
    },
  };
}

/** Row at which each job begins. */
function placesOf(jobs: Waiting["jobs"]): number[] {
  let at = 0;
  return jobs.map(({ n }) => {
    at += n;
    return at - n;
  });
}
function jobAt(places: readonly number[], row: number): number {
  return places.findLastIndex((at) => at <= row);
}
function refusedAt(jobs: Waiting["jobs"], places: readonly number[], row: number): boolean {
  const i = jobAt(places, row);
  return jobs[i]?.refused?.[row - (places[i] as number)] ?? false;
}
function numberAt(jobs: Waiting["jobs"], places: readonly number[], row: number): number {
  const i = jobAt(places, row);
  return (jobs[i]?.given as number) + row - (places[i] as number);
}
