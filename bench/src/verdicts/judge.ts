/** From what detectors recorded: how often they alarmed for nothing, and how long they took when there was something. */
import { median } from "../rounds.ts";
import { streamRows } from "./cells.ts";
import { alarmAt, highest, type Records } from "./detector.ts";
import { bootstrapMedian, clopperPearson, type Interval } from "./intervals.ts";

/** One run of a detector on a stream, as the records file keeps it. */
export interface Run {
  readonly change: number | null;
  readonly records: Records;
}

export interface FalseAlarms {
  readonly streams: number;
  /** Streams in which it alarmed at least once. */
  readonly alarmed: number;
  readonly share: number;
  /** 95 %, Clopper–Pearson. */
  readonly interval: Interval;
}

/** Of streams in which nothing changes. */
export function falseAlarmsOf(runs: readonly Run[], threshold: number): FalseAlarms {
  const streams = runs.length;
  const alarmed = runs.filter(({ records }) => alarmAt(records, threshold) !== null).length;
  return { streams, alarmed, share: alarmed / streams, interval: clopperPearson(alarmed, streams) };
}

/** The share of streams in which something without memory alarms that does so once in `arl` rows on average. */
export function shareAt(arl: number, rows = streamRows): number {
  return 1 - Math.exp(-rows / arl);
}

/** Whether false alarms are more than `arl` allows, beyond doubt: their interval lies above. */
export function tooMany({ interval }: FalseAlarms, arl: number): boolean {
  return interval.low > shareAt(arl);
}

/** The lowest threshold at which at most `share` of the streams without a change alarm. */
export function matchedThreshold(runs: readonly Run[], share: number): number {
  const scores = runs.map(({ records }) => highest(records)).sort((a, b) => b - a);
  const allowed = Math.floor(share * scores.length);
  const first = scores[allowed];
  if (first === undefined) return Number.NEGATIVE_INFINITY;
  const above = scores.filter((score) => score > first);
  // Where all that alarm have the same score, only a higher one alarms in fewer.
  return above.at(-1) ?? first + Math.max(1e-9, Math.abs(first) * 1e-9);
}

export interface Delays {
  /** Streams without an alarm before the change: the others say nothing about the delay. */
  readonly streams: number;
  /** Streams with an alarm before the change. */
  readonly early: number;
  /** Streams in which the change was never noticed. */
  readonly missed: number;
  /** Rows from the change to the alarm, Infinity for never. */
  readonly median: number;
  /** 95 % of the median, bootstrap. */
  readonly interval: Interval;
}

export function delaysOf(runs: readonly Run[], threshold: number): Delays {
  const delays: number[] = [];
  let early = 0;
  for (const { change, records } of runs) {
    if (change === null) throw new TypeError("a stream without a change has no delay");
    const at = alarmAt(records, threshold);
    if (at !== null && at < change) early++;
    else delays.push(at === null ? Number.POSITIVE_INFINITY : at - change + 1);
  }
  return {
    streams: delays.length,
    early,
    missed: delays.filter((delay) => delay === Number.POSITIVE_INFINITY).length,
    median: median(delays),
    interval: bootstrapMedian(delays),
  };
}
