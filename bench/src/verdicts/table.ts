/** What the report says, worked out from what was recorded: one entry for each detector and cell. */
import { type Cell, cells, nullOf, streamRows } from "./cells.ts";
import type { Detector } from "./detector.ts";
import {
  type Delays,
  delaysOf,
  type FalseAlarms,
  falseAlarmsOf,
  matchedThreshold,
  type Run,
  shareAt,
  tooMany,
} from "./judge.ts";

type Kind = Omit<Detector, "run" | "close">;

/** What was recorded of a cell by a detector. */
export type RunsOf = (cell: Cell, detector: string) => readonly Run[];

/** A detector at a nominal run length between false alarms. */
export interface Side {
  readonly title: string;
  readonly kind: Kind;
  readonly arl: number;
  readonly ours: boolean;
}

export interface FalseAlarmRow {
  readonly side: Side;
  /** In the order of the cells; null where it was not run. */
  readonly entries: readonly (FalseAlarms | null)[];
}

export interface DelayEntry extends Delays {
  /** Its false alarms without a change are beyond doubt more than nominal: its delay says nothing. */
  readonly loud: boolean;
}

export interface DelayTable {
  readonly sides: readonly Side[];
  /** In the order of the cells, then of the sides. */
  readonly entries: readonly (readonly (DelayEntry | null)[])[];
}

export const nullCells = cells.filter(({ shift }) => shift === null);
export const shiftCells = cells.filter(({ shift }) => shift !== null);

/** Those that thresholds for the others are set on. */
export const matchedNulls = nullCells.filter((cell) => shiftCells.some((other) => nullOf(other) === cell));

export function falseAlarmRows(sides: readonly Side[], runsOf: RunsOf): FalseAlarmRow[] {
  return sides.map((side) => ({
    side,
    entries: nullCells.map((cell) => {
      const runs = runsOf(cell, side.kind.name);
      return runs.length > 0 ? falseAlarmsOf(runs, side.kind.threshold(side.arl)) : null;
    }),
  }));
}

/** Delays with each side at its own nominal setting. */
export function nominalDelays(sides: readonly Side[], runsOf: RunsOf): DelayTable {
  return delayTable(sides, (cell, { kind, arl }) => {
    const quiet = runsOf(nullOf(cell), kind.name);
    const threshold = kind.threshold(arl);
    if (quiet.length === 0) return null;
    return entry(runsOf(cell, kind.name), threshold, tooMany(falseAlarmsOf(quiet, threshold), arl));
  });
}

/** Delays with each threshold set so that, where nothing changes, the same share of the streams alarms for everyone. */
export function matchedDelays(sides: readonly Side[], runsOf: RunsOf, share: number): DelayTable {
  return delayTable(sides, (cell, { kind }) => {
    const quiet = runsOf(nullOf(cell), kind.name);
    if (quiet.length === 0) return null;
    return entry(runsOf(cell, kind.name), matchedThreshold(quiet, share), false);
  });
}

/** For each kind of rows in which something changes: the share of its streams without a change in which each side alarms at that threshold. */
export function matchedShares(sides: readonly Side[], runsOf: RunsOf, share: number): FalseAlarmRow[] {
  return sides.map((side) => ({
    side,
    entries: matchedNulls.map((cell) => {
      const quiet = runsOf(cell, side.kind.name);
      return quiet.length > 0 ? falseAlarmsOf(quiet, matchedThreshold(quiet, share)) : null;
    }),
  }));
}

function delayTable(sides: readonly Side[], of: (cell: Cell, side: Side) => DelayEntry | null): DelayTable {
  return { sides, entries: shiftCells.map((cell) => sides.map((side) => of(cell, side))) };
}

function entry(runs: readonly Run[], threshold: number, loud: boolean): DelayEntry | null {
  return runs.length > 0 ? { ...delaysOf(runs, threshold), loud } : null;
}

/** Who noticed a shift first, by median among those that are not loud. */
export interface Race {
  readonly cell: Cell;
  readonly ours: { readonly side: Side; readonly entry: DelayEntry } | null;
  readonly peer: { readonly side: Side; readonly entry: DelayEntry } | null;
  /**
   * `even` where the intervals of the medians overlap; `alone` where a side has not been run; `nobody` where none is quicker, beyond
   * doubt, than false alarms alone.
   */
  readonly outcome: "ours" | "even" | "peer" | "nobody" | "alone";
}

/** @param share of the streams without a change in which everyone alarms, or may. */
export function races({ sides, entries }: DelayTable, share: number): Race[] {
  const chance = medianByChance(share);
  return shiftCells.map((cell, i) => {
    const best = (ours: boolean) =>
      sides
        .flatMap((side, k) => {
          const found = entries[i]?.[k];
          return found && side.ours === ours && !found.loud && found.interval.high < chance
            ? [{ side, entry: found }]
            : [];
        })
        .sort((a, b) => a.entry.median - b.entry.median)[0] ?? null;
    const ran = (ours: boolean) => sides.some((side, k) => side.ours === ours && entries[i]?.[k]);
    const [ours, peer] = [best(true), best(false)];
    const outcome = ran(true) && ran(false) ? outcomeOf(ours?.entry ?? null, peer?.entry ?? null) : "alone";
    return { cell, ours, peer, outcome };
  });
}

function outcomeOf(ours: Delays | null, peer: Delays | null): Race["outcome"] {
  if (!ours && !peer) return "nobody";
  if (!ours) return "peer";
  if (!peer || ours.interval.high < peer.interval.low) return "ours";
  return peer.interval.high < ours.interval.low ? "peer" : "even";
}

/** Median rows to the alarm of something that sees nothing, and alarms for nothing in a share of the streams. */
export function medianByChance(share: number): number {
  return (streamRows * Math.LN2) / -Math.log1p(-share);
}

/** The share of null streams that an honest detector of this run length may alarm in. */
export const nominalShare = (arl: number): number => shareAt(arl, streamRows);
