/**
 * A version in place, or none, with all that belongs to it alone: what it takes, the queue of its runs, the log of its
 * answers, and why it may not be asked. model-slot has one that answers, at times a second beside it, and lets those that it
 * has left answer what they were asked.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import type { FallbackReason } from "@vedette/protocol/ids";
import type { Prediction } from "../agent.ts";
import { describeVersion, type LoggedVersion } from "../log/logged-rows.ts";
import type { PredictionLog } from "../log/prediction-log.ts";
import type { Ports } from "../ports.ts";
import { type InputCheck, inputCheckOf } from "./check-input.ts";
import type { ModelAnswer } from "./decode-outputs.ts";
import type { Outcome } from "./outcome.ts";
import { createRunQueue, type Job, type RunQueue, type RunResult, type RunTook } from "./run-queue.ts";
import type { ServingVersion } from "./serving-version.ts";
import type { RunFigures } from "./slot-counters.ts";

export type SlotLog = Pick<PredictionLog, "room" | "reserve" | "id" | "append">;

/** A version that answers some of the entities, in a log of its own: a batch is of one version. */
export interface SecondVersion {
  readonly version: ServingVersion;
  readonly log: SlotLog;
  takes(entity: string): boolean;
  /** After the answers of each of its runs. */
  ran(outcome: Outcome): void;
  /** Rows that it answered. */
  served(rows: number): void;
}

export interface SlotJob extends Job {
  /** Where the response cache has, or will have, its answers. */
  readonly key: string | null;
  readonly cached: boolean;
  /** Number of its first prediction once its answers are given; before, −1. */
  given: number;
  readonly resolve: (prediction: Prediction) => void;
  readonly reject: (error: unknown) => void;
}

export interface Place {
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

/** What all places of one slot have in common. Of the calls, `run-queue.ts` says when they come; none may throw. */
export interface PlaceOptions {
  readonly ports: Pick<Ports, "clock" | "log">;
  readonly schedule: (call: () => void) => void;
  /** Rows of one run. */
  readonly cap: number;
  finish(from: Place, jobs: readonly SlotJob[], result: RunResult): void;
  late(rows: number): void;
  ran(from: Place, figures: RunFigures): void;
  ended(from: Place, jobs: readonly SlotJob[], answers: readonly (ModelAnswer | null)[] | null, took: RunTook): void;
}

/**
 * @param of.manifest of the version, else of the last one known.
 * @throws VedetteError unsupported, invalid_manifest where the version cannot be fed.
 */
export function createPlace(of: Pick<Place, "version" | "manifest" | "log" | "second">, options: PlaceOptions): Place {
  const { version, manifest, log, second } = of;
  const { ports, schedule, cap, finish, late, ran, ended } = options;
  const place: Place = {
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
        cap,
        finish: (jobs, result) => finish(place, jobs, result),
        late,
        failed: (why) => {
          place.failure = why;
        },
        ran: (figures) => ran(place, figures),
        ended: (jobs, answers, took) => ended(place, jobs, answers, took),
      }),
    log,
    second,
    freshUntil: manifest?.freshUntil ? Date.parse(manifest.freshUntil) : Number.POSITIVE_INFINITY,
    tripped: null,
    failure: null,
  };
  return place;
}

/** A version is there, and past its freshness deadline. @param now UTC ms. */
export function isStale({ version, freshUntil }: Place, now: number): boolean {
  return version !== null && now >= freshUntil;
}

/** Why the model is not even asked; null where it is. @param now UTC ms. */
export function barrierOf(place: Place, now: number): FallbackReason | null {
  if (place.tripped) return place.tripped;
  if (!place.version) return "no_model";
  return isStale(place, now) ? "stale_model" : null;
}

/**
 * Resolves when the runs of a place that was left are done, so that its version can be released. A run that never ends must not keep the next version
 * from its life: it is said, and left behind.
 * @param waitMs longest.
 */
export function drained(
  queue: RunQueue<SlotJob>,
  { clock, log, model, waitMs }: Pick<Ports, "clock" | "log"> & { model: string; waitMs: number },
): Promise<void> {
  return new Promise((resolve) => {
    const cancel = clock.after(waitMs, () => {
      log.error("run_hangs", { model, waited: waitMs });
      resolve();
    });
    const done = (): void => {
      cancel();
      resolve();
    };
    queue.idle().then(done, done);
  });
}
