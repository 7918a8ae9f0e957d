/**
 * Answers for one model: check → model, coalesced and within its budget → confidence → on any failure the fallback
 * ladder. Every row gets a number and is in the log before its answer leaves. create-agent composes it and puts versions
 * in place; the ways in call `predict`.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import { messageOf } from "@vedette/protocol/errors";
import type { FallbackReason } from "@vedette/protocol/ids";
import { ruleOfField } from "@vedette/protocol/log-policy";
import type { Answer, Prediction, PredictRequest } from "../agent.ts";
import { describeVersion, type LoggedGroup, type LoggedVersion } from "../log/logged-rows.ts";
import type { PredictionLog } from "../log/prediction-log.ts";
import type { Ports } from "../ports.ts";
import type { BesideAsker } from "../shadow/ask-beside.ts";
import { checkTexts, type InputCheck, inputCheckOf } from "./check-input.ts";
import type { ModelAnswer } from "./decode-outputs.ts";
import { createAnswerCache, fallBack, reasonOf, sameOutput } from "./ladder.ts";
import { createResponseCache, type ResponseCacheLimits } from "./response-cache.ts";
import { createRunQueue, type Job, type RunQueue, type RunResult, type RunTook } from "./run-queue.ts";
import type { ServingVersion } from "./serving-version.ts";
import { addRun, newCounters, noRuns, type SlotCounters } from "./slot-counters.ts";

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

/** A version that answers some of the entities, in a log of its own: a batch is of one version. */
interface SecondVersion {
  readonly version: ServingVersion;
  readonly log: SlotLog;
  takes(entity: string): boolean;
  /** After the answers of each of its runs. */
  ran(outcome: Outcome): void;
  /** Rows that it answered. */
  served(rows: number): void;
}
export type SlotLog = Pick<PredictionLog, "room" | "reserve" | "id" | "append">;

/** The version whose ladder answers while none serves. */
export type LastKnown = Pick<ServingVersion, "manifest">;

interface SlotJob extends Job {
  /** Where the response cache has, or will have, its answers. */
  readonly key: string | null;
  readonly cached: boolean;
  /** Number of its first prediction once its answers are given; before, −1. */
  given: number;
  readonly resolve: (prediction: Prediction) => void;
  readonly reject: (error: unknown) => void;
}
/** What came of the jobs of one run, or of what was asked without one. */
interface Answered {
  /** Number of the first row. */
  readonly firstN: number;
  readonly rows: number;
  /** By row; null where the model was not asked, or did not answer. */
  readonly served: readonly (ModelAnswer | null)[] | null;
  readonly result: RunResult | FallbackReason;
  readonly nan: number;
  readonly unsure: number;
  /** Monotonic ms. */
  readonly now: number;
  /** Of the predictions, UTC ms. */
  readonly time: number;
}
/** All that belongs to one version in place, or to none. */
interface Place {
  readonly version: ServingVersion | null;
  /** Null where no version was ever known. */
  readonly manifest: Manifest | null;
  readonly logged: LoggedVersion;
  readonly check: InputCheck | null;
  readonly queue: RunQueue<SlotJob> | null;
  readonly log: SlotLog;
  /** Null: it is the version in place. */
  readonly second: SecondVersion | null;
  /** UTC ms. */
  readonly freshUntil: number;
  tripped: FallbackReason | null;
  /** What the runtime said when a run failed last. */
  failure: string | null;
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
  let place = placeOf(null, options.lastKnown?.manifest ?? null);
  let second: Place | null = null;

  function placeOf(
    version: ServingVersion | null,
    lastManifest: Manifest | null,
    ofSecond: SecondVersion | null = null,
  ): Place {
    const manifest = version?.manifest ?? lastManifest;
    const made: Place = {
      version,
      manifest,
      logged: describeVersion(version, manifest),
      check: manifest && inputCheckOf(manifest),
      queue:
        version &&
        createRunQueue<SlotJob>({
          version,
          ports,
          schedule,
          cap: limits.cap,
          finish: (jobs, result) => finish(made, jobs, result),
          late: (rows) => {
            counters.late += rows;
          },
          failed: (why) => {
            made.failure = why;
          },
          ran: (figures) => {
            if (made === place) addRun(counters.runs, figures);
          },
          ended: (jobs, answers, took) => {
            if (!ofSecond && beside?.answering === version.digest) tellBeside(beside, jobs, answers, took);
          },
        }),
      freshUntil: manifest?.freshUntil ? Date.parse(manifest.freshUntil) : Number.POSITIVE_INFINITY,
      log: ofSecond?.log ?? options.log,
      second: ofSecond,
      tripped: null,
      failure: null,
    };
    return made;
  }

  /** Why the model is not even asked; null where it is. */
  function barrier({ version, tripped, freshUntil }: Place): FallbackReason | null {
    if (tripped) return tripped;
    if (!version) return "no_model";
    return clock.now() >= freshUntil ? "stale_model" : null;
  }

  function ask(request: PredictRequest, resolve: SlotJob["resolve"], reject: SlotJob["reject"]): void {
    const { entity } = request;
    const here = second !== null && entity !== undefined && second.second?.takes(entity) ? second : place;
    const started = clock.monotonic();
    checkTexts(request);
    // Without a schema there is no telling how many rows these values are: they are answered as one.
    const { n, refused } = here.check?.(request, counters.outOfRange) ?? { n: 1, refused: null };
    const reason = barrier(here);
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
    const served = typeof result === "string" ? null : result;
    const untrusted = from.version?.drift?.untrusted ?? false;
    let at = 0;
    let nan = 0;
    let unsure = 0;
    const groups: LoggedGroup[] = [];
    for (const { request, n, refused, started, cached } of jobs) {
      const answers: Answer[] = [];
      for (let row = 0; row < n; row++, at++) {
        const id = log.id(firstN + at);
        const given = served?.[at] ?? null;
        if (served && !given) nan++;
        const otherwise = served ? "exception" : (result as FallbackReason);
        const reason = reasonOf(manifest, refused?.[row] ?? false, given, otherwise, untrusted);
        if (reason === "low_confidence") unsure++;
        if (reason === null && given) {
          // Field by field: spreading an object costs more than making one.
          const { label, value, confidence, scores, outputs } = given;
          answers.push({ id, source: "model", reason, cached, label, value, confidence, scores, outputs });
        } else answers.push({ id, reason, cached: false, ...fallBack(manifest, cache, request, row, now) });
      }
      const { rows, texts, entity, eventTime, requestId } = request;
      groups.push({ answers, rows, texts, latency: now - started, entity, eventTime, requestId });
    }
    const time = clock.now();
    const waits = log.append({ firstN, version: from.logged, time, groups });
    const give = () => giveAnswers(from, jobs, groups, { firstN, rows, served, result, nan, unsure, now, time });
    if (waits === null) give();
    else {
      waits.then(give).catch((error: unknown) => {
        for (const job of jobs) job.reject(error);
      });
    }
  }

  function giveAnswers(
    from: Place,
    jobs: readonly SlotJob[],
    groups: readonly LoggedGroup[],
    { firstN, rows, served, result, nan, unsure, now, time }: Answered,
  ): void {
    const { version } = from;
    const digest = version?.digest ?? null;
    const release = version?.release ?? null;
    let at = 0;
    for (let i = 0; i < jobs.length; i++) {
      const job = jobs[i] as SlotJob;
      const answers = groups[i]?.answers as readonly Answer[];
      count(from, job, answers, now);
      job.resolve({ model, digest, release, answers });
      job.given = firstN + at;
      if (served) version?.drift?.observe(job.request.rows, served, at, time);
      at += job.n;
    }
    const ran = !jobs[0]?.cached;
    if (ran && served && responses && from === place) keep(jobs, served);
    const told = from === place || (from.second !== null && from === second);
    if (version && ran && told && (served || result === "exception" || result === "latency_budget")) {
      // A request of more rows than one run takes says nothing of how long the model takes.
      const slow = jobs.reduce((sum, job) => sum + (job.n <= limits.cap ? job.n : 0), 0);
      const outcome = {
        n: result === "latency_budget" ? slow : rows,
        failed: result === "exception" ? rows : 0,
        nan,
        overBudget: result === "latency_budget" ? slow : 0,
        unsure,
        ...(result === "exception" && from.failure !== null && tellsInputs(version.manifest) && { why: from.failure }),
      };
      if (from.second) report((of) => from.second?.ran(of), outcome);
      else for (const call of calls) report(call, outcome);
    }
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
  function report(call: (outcome: Outcome) => void, outcome: Outcome): void {
    try {
      call(outcome);
    } catch (error) {
      ports.log.error("outcome_not_taken", { model, error: messageOf(error) });
    }
  }

  /** What is asked beside the answers must not harm them. */
  function tellBeside(
    asker: BesideAsker,
    jobs: readonly SlotJob[],
    answers: readonly (ModelAnswer | null)[] | null,
    took: RunTook,
  ): void {
    try {
      asker.ended(jobs, answers, took);
    } catch (error) {
      ports.log.error("shadow.not_asked", { model, error: messageOf(error) });
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
      place = placeOf(version, former.manifest);
      counters.served = 0;
      counters.runs = noRuns();
      responses?.clear();
      // A cached answer of other classes would be read by the wrong names.
      if (!sameOutput(former.manifest, place.manifest)) cache.clear();
      if (former.queue) await drained(former.queue);
      return former.version;
    },
    async split(next) {
      const former = second;
      second = next && placeOf(next.version, null, next);
      if (former?.queue) await drained(former.queue);
    },
    get second() {
      return second?.second ?? null;
    },
    async forget(isErased) {
      // By input: there is no telling whose they were.
      responses?.clear();
      let forgotten = 0;
      for (const entity of cache.entities()) {
        if (!(await isErased(entity))) continue;
        cache.delete(entity);
        forgotten++;
      }
      return forgotten;
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
      return place.version !== null && clock.now() >= place.freshUntil;
    },
    counters,
    onPredictions: (call) => void calls.push(call),
  };

  /** A run that never ends must not keep the next version from its life: it is said, and left behind. */
  function drained(queue: RunQueue<SlotJob>): Promise<void> {
    return new Promise((resolve) => {
      const cancel = clock.after(limits.drainMs, () => {
        ports.log.error("run_hangs", { model, waited: limits.drainMs });
        resolve();
      });
      const done = (): void => {
        cancel();
        resolve();
      };
      queue.idle().then(done, done);
    });
  }
}

/** Whether the log policy lets all inputs leave the device. */
function tellsInputs({ log, input }: Manifest): boolean {
  return input.fields.every(({ name }) => ruleOfField(log, name).mode === "full");
}
