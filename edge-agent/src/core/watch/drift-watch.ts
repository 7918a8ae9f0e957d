/**
 * Watches one version: what it is asked and what it answers, against the reference it was trained on. model-slot hands
 * rows over after it has answered; counting waits for the end of the tick, so that no answer waits for it.
 *
 *     rows ─▶ buffer ─▶ window (rows or seconds) ─▶ judgement ─▶ standing verdict
 *                          └─▶ parcel: windows merged until the next may go up ─▶ outbox ─▶ control plane
 *
 * All of it is in the outbox's keeping, written when a parcel closes and every minute, never row by row.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import { toBase64 } from "@vedette/protocol/bytes";
import { type DriftVerdict, driftPolicyOf, maxSnapshotBytes } from "@vedette/protocol/drift";
import { isWorse, judgeDrift } from "@vedette/protocol/judge-drift";
import type { Rows } from "@vedette/protocol/tensors";
import type { DriftReport, FeatureReport, DriftReference as KernelReference } from "@vedette/wasm-kernels";
import type { Clock } from "../ports.ts";
import type { ModelAnswer } from "../serve/decode-outputs.ts";
import { createTimer } from "../timing.ts";
import type { Parcel, WatchKeep, WatchState } from "./drift-outbox.ts";
import { rowPlanOf } from "./row-plan.ts";
import { type Standing, stand, unjudged } from "./standing.ts";

/** The part of the drift kernels that a device uses. */
export type DriftReference = Pick<KernelReference, "names" | "hash" | "newState" | "restore" | "free">;
type DriftState = ReturnType<DriftReference["newState"]>;

export interface DriftWatch {
  /**
   * Takes rows [n][fields of the manifest] and what the model answered to them; they are copied, and counted when the tick
   * is over. A row that the model did not answer is not counted: there is nothing to compare its answer with.
   * @param from place of the first row's answer.
   * @param answeredAt the predictions' time, UTC ms: a window begins no later than its rows. Now, where it is not said.
   */
  observe(rows: Rows, answers: readonly (ModelAnswer | null)[], from: number, answeredAt?: number): void;
  /** Of the last full window; before there is one, of the running one. In the reference's order. */
  report(): readonly FeatureReport[];
  /** By the policy, of all windows so far. */
  readonly verdict: DriftVerdict;
  readonly top: string | null;
  /** Full windows so far. */
  readonly windows: number;
  /** Drift is critical, and the policy says that the ladder answers then. */
  readonly untrusted: boolean;
  /**
   * Hands its state to the outbox and gives the kernels' memory back, the reference's too.
   * @param over the version is done with here: what it counted goes up now, and no window is kept open.
   */
  close(over: boolean): void;
}

/** Floats kept until the tick ends; more are counted at once. */
const bufferFloats = 16 * 1024;
/** Parcels go up no more often, and no more than so many wait: those that come meanwhile are merged. */
const parcelEveryMs = 30_000;
const mostWaiting = 16;
/** What is counted is written down at least so often, ms. */
const keepEveryMs = 60_000;

/**
 * @param options.reference becomes the watch's: `close` frees it.
 * @param options.keep what the outbox keeps for this version; its `saved` is what a former process left.
 */
export function createDriftWatch(options: {
  reference: DriftReference;
  manifest: Manifest;
  keep: WatchKeep;
  clock: Clock;
  schedule: (call: () => void) => void;
  /** Hears that what was kept is of no use any more, and why; a new state has begun. */
  lost?: (why: unknown) => void;
  /** Called after each full window: there is a new verdict to report. */
  finished?: () => void;
  /** What to add to the device's clock to reach the control plane's, ms: as predictions are told, so are windows. Null: not known. */
  offset?: () => number | null;
  /** Full windows end no sooner one after the other, ms: a second where it is not said. */
  apartMs?: number;
}): DriftWatch {
  const { reference, manifest, keep, clock, schedule, apartMs = 1_000, offset = () => null } = options;
  const policy = driftPolicyOf(manifest);
  const plan = rowPlanOf(manifest, reference.names);
  const { width, fields } = plan;
  const stateOptions = { alpha: policy.alpha, threshold: policy.arl, deadZone: policy.deadZone };
  const capacity = Math.max(1, Math.floor(bufferFloats / width));
  const buffer = new Float32Array(capacity * width);
  let held = 0;
  /** Since when, UTC ms: the answer came before the disk had it, and this waits for both. */
  let heldSince = Number.POSITIVE_INFINITY;
  let scheduled = false;
  let closed = false;
  let last: DriftReport | undefined;

  const restored = restore();
  let state: DriftState = restored?.state ?? reference.newState(stateOptions);
  /** Windows that wait to go up, as one. */
  const parcel: DriftState = restored?.parcel ?? reference.newState(stateOptions);
  const epoch = restored?.saved.epoch ?? keep.newEpoch();
  let n = restored?.saved.n ?? 0;
  let windows = restored?.saved.windows ?? 0;
  let standing: Standing = restored?.saved.standing ?? unjudged;
  /** Rows that the detector has seen before this window. */
  let seen = restored?.saved.seen ?? 0;
  /** UTC ms: of the running window's first row, and of the parcel's first and last. */
  let opened = restored?.saved.opened ?? 0;
  let span = restored?.saved.span ?? null;
  let loudest = restored?.saved.loudest ?? null;
  let lastParcelAt = Number.NEGATIVE_INFINITY;
  /** By the monotonic clock. */
  let lastWindowAt = Number.NEGATIVE_INFINITY;

  const windowTimer = createTimer(clock, () => guarded(flush, endWindow, sendParcel, told));
  const parcelTimer = createTimer(clock, () => guarded(sendParcel));
  const keepTimer = createTimer(clock, () => guarded(() => keep.put(save())));
  if (state.n > 0) windowTimer.in(Math.max(0, opened + policy.windowSeconds * 1000 - clock.now()));
  if (parcel.n > 0) parcelTimer.in(parcelEveryMs);

  function restore() {
    const { saved } = keep;
    if (!saved) return undefined;
    let former: DriftState | undefined;
    try {
      if (saved.hash !== reference.hash)
        throw new Error(`it is of reference ${saved.hash}, and this is ${reference.hash}`);
      former = reference.restore(saved.state);
      const waiting = reference.newState(stateOptions);
      if (saved.parcel) waiting.merge(saved.parcel);
      return { saved, state: former, parcel: waiting };
    } catch (error) {
      former?.free();
      options.lost?.(error);
      return undefined;
    }
  }

  function guarded(...calls: (() => void)[]): void {
    if (!closed) for (const call of calls) call();
  }

  function save(): WatchState {
    return {
      hash: reference.hash,
      epoch,
      n,
      windows,
      seen,
      opened,
      span,
      loudest,
      standing,
      state: state.save(),
      parcel: parcel.n > 0 ? parcel.snapshot() : null,
    };
  }

  function flush(): void {
    scheduled = false;
    if (closed || held === 0) return;
    const before = windows;
    if (!keepTimer.waiting) keepTimer.in(keepEveryMs);
    for (let at = 0; at < held; ) {
      if (state.n === 0) {
        opened = Math.min(heldSince, clock.now());
        windowTimer.in(policy.windowSeconds * 1000);
      }
      // A window that is full too soon goes on, so that judging costs a busy device no more than an idle one.
      const early = lastWindowAt + apartMs - clock.monotonic();
      const room = policy.windowRows - state.n;
      const count = early > 0 || room <= 0 ? held - at : Math.min(held - at, room);
      state.observe(buffer.subarray(at * width, (at + count) * width));
      at += count;
      if (state.n < policy.windowRows) continue;
      if (early <= 0) endWindow();
      else windowTimer.in(early);
    }
    held = 0;
    heldSince = Number.POSITIVE_INFINITY;
    // Last, for who hears of it may ask for the report at once, which comes here again.
    if (windows > before) told();
  }

  function told(): void {
    options.finished?.();
  }

  /** Judges what the window holds, and adds it to the parcel. */
  function endWindow(): void {
    const rows = state.n;
    if (rows === 0) return;
    windowTimer.cancel();
    lastWindowAt = clock.monotonic();
    const report = state.report();
    seen += rows;
    const judged = judgeDrift(report, policy);
    standing = stand(standing, judged, rows, seen);
    last = report;
    windows++;
    parcel.merge(state.snapshot());
    const now = clock.now();
    span = { from: span?.from ?? opened, to: now };
    if (!loudest || !isWorse(loudest.verdict, judged.verdict)) loudest = { ...judged, logE: report.logE };
    if (report.alarm) {
      // What it said was heard: the next alarm is of rows to come.
      state.free();
      state = reference.newState(stateOptions);
      seen = 0;
    } else state.roll();
    if (rows >= policy.windowRows) sendParcel();
  }

  /** Closes the parcel where one may go up; else it waits, and what comes meanwhile is merged into it. */
  function sendParcel(over = false): void {
    if (parcel.n === 0 || !span || !loudest) return;
    const now = clock.now();
    const early = lastParcelAt + parcelEveryMs - now;
    if (!over && (keep.waiting >= mostWaiting || (early > 0 && early <= parcelEveryMs))) {
      if (!parcelTimer.waiting) parcelTimer.in(early > 0 && early <= parcelEveryMs ? early : parcelEveryMs);
      return;
    }
    const snapshot = parcel.snapshot();
    const { verdict, top, logE } = loudest;
    const shift = offset() ?? 0;
    const from = Math.floor(span.from + shift);
    const closedParcel: Parcel = {
      window: { epoch, n, from, to: Math.max(from, Math.ceil(span.to + shift)), rows: parcel.n },
      snapshot: toBase64(snapshot),
      // A standing alarm is the verdict of what came under it.
      verdict: isWorse(standing.verdict, verdict) ? standing.verdict : verdict,
      top: isWorse(standing.verdict, verdict) ? standing.top : top,
      logE: Number.isFinite(logE) ? logE : null,
    };
    n++;
    lastParcelAt = now;
    parcelTimer.cancel();
    parcel.roll();
    [span, loudest] = [null, null];
    keepTimer.cancel();
    // One write: a parcel is never without the state that has done with its rows.
    keep.put(save(), snapshot.length <= maxSnapshotBytes ? closedParcel : undefined);
  }

  return {
    observe(rows, answers, from, answeredAt = clock.now()) {
      if (closed) return;
      for (let at = 0, row = from; at < rows.length; at += fields, row++) {
        const answer = answers[row];
        if (!answer) continue;
        if (held === capacity) flush();
        heldSince = Math.min(heldSince, answeredAt);
        plan.write(buffer, held * width, rows, at, answer);
        held++;
      }
      if (!scheduled && held > 0) {
        scheduled = true;
        schedule(flush);
      }
    },
    report() {
      flush();
      if (closed) return [];
      return (last ?? state.report()).features;
    },
    get verdict() {
      return standing.verdict;
    },
    get top() {
      return standing.top;
    },
    get windows() {
      return windows;
    },
    get untrusted() {
      return policy.onCritical === "fallback" && standing.verdict === "critical";
    },
    close(over) {
      if (closed) return;
      flush();
      if (over) {
        endWindow();
        sendParcel(true);
      } else keep.put(save());
      closed = true;
      for (const timer of [windowTimer, parcelTimer, keepTimer]) timer.cancel();
      state.free();
      parcel.free();
      reference.free();
    },
  };
}
