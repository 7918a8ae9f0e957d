/**
 * Answers for one model: check → model, coalesced and within its budget → confidence → on any failure the fallback
 * ladder. Every row gets a number and is in the log before its answer leaves. create-agent composes it and puts versions
 * in place (`place.ts`); the ways in call `predict`; `answer-rows.ts` says what each row is answered.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import { messageOf } from "@vedette/protocol/errors";
import type { FallbackReason } from "@vedette/protocol/ids";
import type { Answer, Prediction, PredictRequest } from "../agent.ts";
import type { Ports } from "../ports.ts";
import type { BesideAsker } from "../shadow/ask-beside.ts";
import { type AnsweredRows, answerRows } from "./answer-rows.ts";
import { checkTexts } from "./check-input.ts";
import type { ModelAnswer } from "./decode-outputs.ts";
import { createAnswerCache, sameOutput } from "./ladder.ts";
import { isOfRun, type Outcome, outcomeOf } from "./outcome.ts";
import {
  barrierOf,
  createPlace,
  drained,
  isStale,
  type Place,
  type PlaceOptions,
  type SecondVersion,
  type SlotJob,
  type SlotLog,
} from "./place.ts";
import { createResponseCache, type ResponseCacheLimits } from "./response-cache.ts";
import type { RunResult } from "./run-queue.ts";
import type { ServingVersion } from "./serving-version.ts";
import { addRun, newCounters, noRuns, type SlotCounters } from "./slot-counters.ts";

export interface ModelSlot {
  /**
   * Answers every row. Resolves after the rows are in the spool.
   * @throws VedetteError invalid_input (field, row, and what was expected), storage_failed (the log cannot be written).
   */
  predict(request: PredictRequest): Promise<Prediction>;
  /**
   * Puts a version in place (null: none) at once; what was asked before is still answered by the former. Resolves with
   * the former when its runs are done, so that it can be released.
   * @throws VedetteError unsupported, invalid_manifest where the version cannot be fed; the former stays in place.
   */
  use(version: ServingVersion | null): Promise<ServingVersion | null>;
  /** Forgets the answers kept of entities that are to be forgotten. Answers how many. */
  forget(isErased: (entity: string) => Promise<boolean>): Promise<number>;
  /** Whom to tell of the runs that ended, after their answers are given; null: nobody. */
  askBeside(asker: BesideAsker | null): void;
  /**
   * Lets a second version answer the entities that it takes (null: none), beside the one in place. Resolves when the runs of the
   * former second one are done, so that it can be released.
   * @throws VedetteError unsupported, invalid_manifest where the version cannot be fed; the former stays.
   */
  split(second: SecondVersion | null): Promise<void>;
  readonly second: SecondVersion | null;
  /** There are requests that no run has taken. */
  readonly waits: boolean;
  /** From now on the ladder answers, for this reason, until `use` is called again. */
  trip(reason: FallbackReason): void;
  readonly version: ServingVersion | null;
  /** Of the version in place, else of the last one known; null where none ever was. */
  readonly manifest: Manifest | null;
  /** The version in place is past its freshness deadline: the ladder answers. */
  readonly stale: boolean;
  readonly counters: SlotCounters;
  /** Calls after the answers of each run of the version in place. */
  onPredictions(call: (outcome: Outcome) => void): void;
}

/** The version whose ladder answers while none serves. */
export type LastKnown = Pick<ServingVersion, "manifest">;

/** What came of the jobs of one run, or of what was asked without one. */
interface Answered extends AnsweredRows {
  /** Number of the first row. */
  readonly firstN: number;
  /** By row; null where the model was not asked, or did not answer. */
  readonly served: readonly (ModelAnswer | null)[] | null;
  readonly result: RunResult | FallbackReason;
  /** Monotonic ms. */
  readonly now: number;
  /** Of the predictions, UTC ms. */
  readonly time: number;
}

const defaultLimits = { cap: 32, cacheEntities: 1024, drainMs: 10_000 };

/**
 * @param options.schedule calls once when all requests of this tick have come. Node passes `setImmediate`: requests of
 *   several sockets arrive in one turn of the loop, but microtasks run between them. Without it, a microtask.
 * @param options.lastKnown whose rules and cache answer before any version is in place.
 * @param options.responseCache answers the same input again without a run; without it every request is run.
 */
export function createModelSlot(options: {
  model: string;
  ports: Pick<Ports, "clock" | "log">;
  log: SlotLog;
  schedule?: (call: () => void) => void;
  lastKnown?: LastKnown;
  responseCache?: ResponseCacheLimits | undefined;
  /** Rows of one run; entities in the fallback cache; longest wait of `use` for a run that hangs, ms. */
  limits?: Partial<typeof defaultLimits>;
}): ModelSlot {
  const { model, ports } = options;
  const { clock } = ports;
  const limits = { ...defaultLimits, ...options.limits };
  const schedule = options.schedule ?? ((call: () => void) => void Promise.resolve().then(call));
  const cache = createAnswerCache(limits.cacheEntities);
  const responses = options.responseCache ? createResponseCache(options.responseCache, clock) : null;
  const calls: ((outcome: Outcome) => void)[] = [];
  const counters = newCounters();
  let beside: BesideAsker | null = null;
  const ofPlaces: PlaceOptions = {
    ports,
    schedule,
    cap: limits.cap,
    finish,
    late: (rows) => {
      counters.late += rows;
    },
    ran: (from, figures) => {
      if (from === place) addRun(counters.runs, figures);
    },
    ended: ({ version, second }, jobs, answers, took) => {
      if (second || beside?.answering !== version?.digest) return;
      quietly("shadow.not_asked", () => beside?.ended(jobs, answers, took));
    },
  };
  const ofDrain = { clock, log: ports.log, model, waitMs: limits.drainMs };
  const first = (version: ServingVersion | null, manifest: Manifest | null): Place =>
    createPlace({ version, manifest: version?.manifest ?? manifest, log: options.log, second: null }, ofPlaces);
  let place = first(null, options.lastKnown?.manifest ?? null);
  let second: Place | null = null;

  function ask(request: PredictRequest, resolve: SlotJob["resolve"], reject: SlotJob["reject"]): void {
    const { entity } = request;
    const here = second !== null && entity !== undefined && second.second?.takes(entity) ? second : place;
    const started = clock.monotonic();
    checkTexts(request);
    // Without a schema there is no telling how many rows these values are: they are answered as one.
    const { n, refused } = here.check?.(request, counters.outOfRange) ?? { n: 1, refused: null };
    const reason = barrierOf(here, clock.now());
    // Answers that are kept by input are of the version in place.
    const cacheable = reason === null && refused === null && here === place;
    const key = cacheable && responses ? responses.key(request) : null;
    const found = key === null ? undefined : responses?.get(key);
    const job: SlotJob = {
      request,
      n,
      refused,
      started,
      done: false,
      key,
      cached: !!found,
      given: -1,
      resolve,
      reject,
    };
    if (key !== null) counters[found ? "cacheHits" : "cacheMisses"]++;
    if (reason !== null || !here.queue) finish(here, [job], reason ?? "no_model");
    else if (found) finish(here, [job], found);
    else here.queue.add(job);
  }

  function finish(from: Place, jobs: readonly SlotJob[], result: RunResult | FallbackReason): void {
    const rows = jobs.reduce((sum, job) => sum + job.n, 0);
    const room = from.log.room(rows);
    const fail = (error: unknown): void => {
      for (const job of jobs) job.reject(error);
    };
    // Others may have taken the room by then, so it is looked for again.
    if (room !== null) return void room.then(() => finish(from, jobs, result), fail);
    try {
      answer(from, jobs, rows, result);
    } catch (error) {
      fail(error);
    }
  }

  function answer(from: Place, jobs: readonly SlotJob[], rows: number, result: RunResult | FallbackReason): void {
    const { manifest, log } = from;
    const now = clock.monotonic();
    const firstN = log.reserve(rows);
    const untrusted = from.version?.drift?.untrusted ?? false;
    const id = (n: number): string => log.id(firstN + n);
    const answered = answerRows(jobs, result, { manifest, untrusted, cache, id, now });
    const time = clock.now();
    const waits = log.append({ firstN, version: from.logged, time, groups: answered.groups });
    const served = typeof result === "string" ? null : result;
    const give = () => giveAnswers(from, jobs, { ...answered, firstN, served, result, now, time });
    if (waits === null) give();
    else {
      waits.then(give).catch((error: unknown) => {
        for (const job of jobs) job.reject(error);
      });
    }
  }

  function giveAnswers(from: Place, jobs: readonly SlotJob[], answered: Answered): void {
    const { groups, firstN, served, now, time } = answered;
    const { version } = from;
    const digest = version?.digest ?? null;
    const release = version?.release ?? null;
    let at = 0;
    for (let i = 0; i < jobs.length; i++) {
      const job = jobs[i] as SlotJob;
      const answers = groups[i]?.answers ?? [];
      count(from, job, answers, now);
      job.resolve({ model, digest, release, answers });
      job.given = firstN + at;
      if (served) version?.drift?.observe(job.request.rows, served, at, time);
      at += job.n;
    }
    if (jobs[0]?.cached) return;
    if (served && responses && from === place) keep(jobs, served);
    tell(from, jobs, answered);
  }

  /** What came of a run, to those who judge the version that ran: while it is in place. */
  function tell(from: Place, jobs: readonly SlotJob[], { result, nan, unsure }: Answered): void {
    const { version, failure } = from;
    if (!version || (from !== place && from !== second) || !isOfRun(result)) return;
    const outcome = outcomeOf(jobs, result, { nan, unsure, failure, manifest: version.manifest }, limits.cap);
    if (from.second) quietly("outcome_not_taken", () => from.second?.ran(outcome));
    else for (const call of calls) quietly("outcome_not_taken", () => call(outcome));
  }

  /** Only whole answers: what was no number once may be one the next time. */
  function keep(jobs: readonly SlotJob[], served: readonly (ModelAnswer | null)[]): void {
    let at = 0;
    for (const { key, n } of jobs) {
      const answers = key === null ? [] : served.slice(at, at + n).filter((answer) => answer !== null);
      if (key !== null && answers.length === n) responses?.put(key, answers);
      at += n;
    }
  }

  /** A listener's fault is not the caller's of `predict`, whose answer is already on its way. */
  function quietly(otherwise: string, call: () => void): void {
    try {
      call();
    } catch (error) {
      ports.log.error(otherwise, { model, error: messageOf(error) });
    }
  }

  function count(from: Place, { request }: SlotJob, answers: readonly Answer[], now: number): void {
    for (const { source, reason, label, value, confidence, scores, outputs } of answers) {
      counters.sources[source]++;
      if (reason !== null) counters.reasons[reason]++;
      if (source !== "model") continue;
      if (from.second) from.second.served(1);
      else if (from === place) counters.served++;
      if (request.entity !== undefined && from.manifest?.fallback.cache) {
        cache.put(request.entity, { label, value, confidence, scores, outputs }, now);
      }
    }
  }

  return {
    predict: (request) =>
      new Promise((resolve, reject) => {
        try {
          ask(request, resolve, reject);
        } catch (error) {
          counters.errors++;
          reject(error);
        }
      }),
    async use(version) {
      const former = place;
      place = first(version, former.manifest);
      counters.served = 0;
      counters.runs = noRuns();
      responses?.clear();
      // A cached answer of other classes would be read by the wrong names.
      if (!sameOutput(former.manifest, place.manifest)) cache.clear();
      if (former.queue) await drained(former.queue, ofDrain);
      return former.version;
    },
    async split(next) {
      const former = second;
      const of = next && { version: next.version, manifest: next.version.manifest, log: next.log, second: next };
      second = of && createPlace(of, ofPlaces);
      if (former?.queue) await drained(former.queue, ofDrain);
    },
    get second() {
      return second?.second ?? null;
    },
    async forget(isErased) {
      // By input: there is no telling whose they were.
      responses?.clear();
      return cache.forget(isErased);
    },
    askBeside(asker) {
      beside = asker;
      if (place.version) place.version.session.compared = asker?.answering === place.version.digest;
    },
    get waits() {
      return (place.queue?.waits ?? false) || (second?.queue?.waits ?? false);
    },
    trip(reason) {
      place.tripped = reason;
    },
    get version() {
      return place.version;
    },
    get manifest() {
      return place.manifest;
    },
    get stale() {
      return isStale(place, clock.now());
    },
    counters,
    onPredictions: (call) => void calls.push(call),
  };
}
