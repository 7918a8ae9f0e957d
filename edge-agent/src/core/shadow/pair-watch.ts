/**
 * What is known of one pair of versions on this device, cut into parcels: by count, by time, and when the pair is over.
 * `ask-beside.ts` tells it of runs; the outbox keeps its state and sends the parcels.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import type { Clock } from "../ports.ts";
import { createTimer } from "../timing.ts";
import { createPairTally, type PairedRun } from "./pair-tally.ts";
import type { PairState, ShadowKeep } from "./shadow-outbox.ts";

export interface PairLimits {
  /** Rows that make a parcel; fewer go up after `parcelMs`. */
  readonly parcelRows: number;
  readonly parcelMs: number;
  /** ms between parcels: what comes meanwhile is merged. */
  readonly apartMs: number;
  /** Parcels that may wait for their answer: over it, all is merged into the next. */
  readonly mostWaiting: number;
  /** What is counted is written down at least so often, ms. */
  readonly keepEveryMs: number;
}
const pairLimits: PairLimits = {
  parcelRows: 200,
  parcelMs: 60_000,
  apartMs: 10_000,
  mostWaiting: 16,
  keepEveryMs: 60_000,
};

export interface PairWatch {
  /** @param at when the answering version's run ended, UTC ms by the device's clock. */
  add(run: PairedRun, at: number): void;
  /** Rows that only the answering version was asked. @param at as above. */
  skip(rows: number, at: number): void;
  /** Hands what it knows to the outbox. @param over the pair is done with: it goes up now. */
  close(over: boolean): void;
}

/**
 * @param options.keep what the outbox keeps for this model: of another pair it is sent, of this one it goes on.
 * @param options.offset ms to add to the device's clock to reach the control plane's; null before it is known.
 * @param options.cut is called after each parcel that was cut: what a report says of the pair has grown by it.
 */
export function createPairWatch(options: {
  answering: { readonly digest: string; readonly manifest: Manifest };
  beside: { readonly digest: string; readonly manifest: Manifest };
  keep: ShadowKeep;
  clock: Clock;
  offset?: () => number | null;
  cut?: () => void;
  limits?: Partial<PairLimits>;
}): PairWatch {
  const { answering, beside, keep, clock, offset = () => null } = options;
  const limits = { ...pairLimits, ...options.limits };
  const { task } = answering.manifest.output;
  // What the log policy of either withholds of its predictions is told in no other way.
  const tells = [answering, beside].every(({ manifest: { log } }) => (log.outputs?.mode ?? "full") === "full");
  const pair = { answering: answering.digest, beside: beside.digest };
  const saved = samePair(keep.saved, pair) ? keep.saved : null;
  if (!saved) keep.end();
  const epoch = saved?.epoch ?? keep.newEpoch();
  let n = saved?.n ?? 0;
  let tally = createPairTally({ task, tells, from: saved?.tally });
  /** Of its rows' answers, UTC ms by the control plane's clock. */
  let span = saved?.span ?? null;
  /** In parcels that were cut. */
  let pairs = saved?.pairs ?? 0;
  let skipped = saved?.skipped ?? 0;
  let lastCutAt = Number.NEGATIVE_INFINITY;
  let closed = false;
  const cutTimer = createTimer(clock, () => cut());
  const keepTimer = createTimer(clock, () => keep.put(state()));
  if (tally.rows > 0) cutTimer.in(limits.parcelMs);

  const state = (): PairState => ({ ...pair, epoch, n, pairs, skipped, span, tally: tally.state() });
  // At once, so that a report knows the pair before its first row.
  keep.put(state());

  function noted(answered: number): void {
    const at = answered + (offset() ?? 0);
    span = { from: Math.min(span?.from ?? at, at), to: Math.max(span?.to ?? at, at) };
    keep.tell(pairs + tally.rows, skipped + tally.skipped);
    if (!keepTimer.waiting) keepTimer.in(limits.keepEveryMs);
    if (tally.rows === 0) return;
    if (tally.rows >= limits.parcelRows) cut();
    else if (!cutTimer.waiting) cutTimer.in(limits.parcelMs);
  }

  /** Closes the parcel where one may go up; else what comes is merged into it. */
  function cut(): void {
    if (tally.rows === 0) return;
    const early = lastCutAt + limits.apartMs - clock.monotonic();
    const wait = keep.waiting >= limits.mostWaiting ? limits.parcelMs : early;
    if (wait > 0) {
      if (!cutTimer.waiting || wait < limits.parcelMs) cutTimer.in(wait);
      return;
    }
    send();
  }

  function send(): void {
    const counted = tally.state();
    const at = clock.now();
    const parcel = { ...pair, window: { epoch, n, ...(span ?? { from: at, to: at }) }, ...counted };
    n++;
    pairs += counted.counts.rows;
    skipped += counted.counts.skipped;
    tally = createPairTally({ task, tells });
    span = null;
    lastCutAt = clock.monotonic();
    cutTimer.cancel();
    keepTimer.cancel();
    // One write: a parcel is never without the state that has done with its rows.
    keep.put(state(), parcel);
    options.cut?.();
  }

  return {
    add(run, at) {
      if (closed) return;
      tally.add(run);
      noted(at);
    },
    skip(rows, at) {
      if (closed) return;
      tally.skip(rows);
      noted(at);
    },
    close(over) {
      if (closed) return;
      closed = true;
      cutTimer.cancel();
      keepTimer.cancel();
      if (over && tally.rows + tally.skipped > 0) send();
      else keep.put(state());
    },
  };
}

function samePair(saved: PairState | null, pair: { answering: string; beside: string }): saved is PairState {
  return saved?.answering === pair.answering && saved.beside === pair.beside;
}
