/** What every side of the comparison is: something that reads a stream and says how sure it was, and when. */
import type { Stream } from "./cells.ts";

/**
 * Each row at which a detector was surer than ever before, and how sure: rising in both. From it follows when it would have alarmed
 * at any threshold, so that one run serves every nominal run length and every matched rate of false alarms.
 */
export type Records = readonly (readonly [row: number, score: number])[];

export interface Detector {
  readonly name: string;
  /** As a person reads it in a table, with its settings. */
  readonly title: string;
  /** Whether it knows the training rows: one that does not is not run again for references of other sizes. */
  readonly usesReference: boolean;
  /** The score at which it alarms when its own settings promise `arl` rows between false alarms; or its default where it makes no promise. */
  threshold(arl: number): number;
  run(stream: Stream): Promise<Records>;
  close(): Promise<void>;
}

/** The first row by which the score has reached the threshold; null where it never does. */
export function alarmAt(records: Records, threshold: number): number | null {
  return records.find(([, score]) => score >= threshold)?.[0] ?? null;
}

/** The highest score of all. */
export function highest(records: Records): number {
  return records.at(-1)?.[1] ?? Number.NEGATIVE_INFINITY;
}

/** Collects records; scores below `floor` are no matter to any threshold in use. */
export class RecordKeeper {
  readonly records: (readonly [number, number])[] = [];
  #highest: number;

  constructor(floor: number) {
    this.#highest = floor;
  }

  get highest(): number {
    return this.#highest;
  }

  take(row: number, score: number): void {
    if (score <= this.#highest) return;
    this.#highest = score;
    this.records.push([row, score]);
  }
}
