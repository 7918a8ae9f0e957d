/**
 * Counts what came of rows that two versions were asked: additive, so that nothing of a row stays but where the two do not
 * agree. Pure but for the tally itself. `pair-watch.ts` fills one and makes parcels of it.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import { utf8 } from "@vedette/protocol/bytes";
import { fromHalf } from "@vedette/protocol/halves";
import {
  agree,
  type LatencyCounts,
  latencyBin,
  mostDisagreements,
  type PairCounts,
  type PairSums,
  type ShadowParcel,
} from "@vedette/protocol/shadow";
import type { Tensor } from "@vedette/protocol/tensors";
import type { ModelAnswer } from "../serve/decode-outputs.ts";

/** One version's part of a run of rows. */
export interface Side {
  readonly manifest: Manifest;
  /** By row, null where its outputs were no numbers; null where the run failed. */
  readonly answers: readonly (ModelAnswer | null)[] | null;
  /** Rows that its schema refuses. */
  readonly refused: (row: number) => boolean;
  /** Of its run, on average where these rows took several; null where there was none. */
  readonly ms: number | null;
}
export interface PairedRun {
  readonly rows: number;
  readonly answering: Side;
  readonly beside: Side;
  /** `epoch.n` of a row's prediction. */
  readonly id: (row: number) => string;
}
/** All that is known of one parcel to be. */
export type TallyState = Pick<ShadowParcel, "counts" | "disagreements" | "omitted">;

export interface PairTally {
  readonly rows: number;
  readonly skipped: number;
  add(run: PairedRun): void;
  skip(rows: number): void;
  state(): TallyState;
}

/** Cells of the table, as the protocol has them. */
const mostCells = 1024;
/** Bytes that disagreements may take in a message, where they are JSON in JSON: with its signature a parcel must fit a packet. */
const mostListed = 64 * 1024;
/** Shorter runs count as so long: below it the way to the model's thread is longer than the run. ms. */
const leastMs = 1;
/** Differences beyond it count as so large: their squares would not be finite. */
const mostDifference = 1e100;

/**
 * @param options.tells whether single answers may leave the device; where they may not, disagreements are only counted.
 * @param options.from what a former process had counted.
 */
export function createPairTally(options: {
  task: Manifest["output"]["task"];
  tells: boolean;
  from?: TallyState | undefined;
}): PairTally {
  const { task, tells, from } = options;
  const before = from?.counts;
  let rows = before?.rows ?? 0;
  let skipped = before?.skipped ?? 0;
  const fit: [number, number, number, number] = before ? [...before.fit] : [0, 0, 0, 0];
  let agreed = before?.agreed ?? 0;
  const table = new Map(
    (before?.table ?? []).map(([a, b, count]) => [`${a} ${b}`, [a, b, count] as [number, number, number]]),
  );
  const value = before?.value ?? (task === "regression" ? { n: 0, sum: 0, sumSquares: 0 } : null);
  const confidence = before?.confidence ?? (task === "classification" ? { n: 0, sum: 0, sumSquares: 0 } : null);
  const sums: { value: PairSums | null; confidence: PairSums | null } = { value, confidence };
  const latency = { answering: binsOf(before?.latency.answering), beside: binsOf(before?.latency.beside) };
  const disagreements = [...(from?.disagreements ?? [])];
  let listed = disagreements.reduce((sum, one) => sum + bytesIn(one), 0);
  let omitted = from?.omitted ?? 0;

  function list(id: string, answer: ModelAnswer): void {
    const says = answer.label ?? answer.value;
    if (says === null || !tells) {
      omitted++;
      return;
    }
    const one = { id, says: typeof says === "string" ? says.slice(0, 256) : says };
    const length = bytesIn(one);
    if (disagreements.length >= mostDisagreements || listed + length > mostListed) {
      omitted++;
      return;
    }
    listed += length;
    disagreements.push(one);
  }

  /** Whether the row could be counted: a table that is full takes no new cell. */
  function pair(a: ModelAnswer, b: ModelAnswer, run: PairedRun, row: number): boolean {
    if (task === "classification") {
      const cell = [classOf(run.answering.manifest, a), classOf(run.beside.manifest, b)] as const;
      const key = `${cell[0]} ${cell[1]}`;
      const there = table.get(key);
      if (!there && table.size >= mostCells) return false;
      if (there) there[2]++;
      else table.set(key, [cell[0], cell[1], 1]);
    }
    sums.value = plus(sums.value, a.value, b.value);
    sums.confidence = plus(sums.confidence, a.confidence, b.confidence);
    if (sameAnswer(a, b)) agreed++;
    else list(run.id(row), b);
    return true;
  }

  return {
    get rows() {
      return rows;
    },
    get skipped() {
      return skipped;
    },
    add(run) {
      const { answering, beside } = run;
      for (let row = 0; row < run.rows; row++) {
        const a = standing(answering, row);
        const b = standing(beside, row);
        if (a && b && !pair(a, b, run, row)) {
          skipped++;
          continue;
        }
        rows++;
        fit[a ? (b ? 0 : 1) : b ? 2 : 3]++;
      }
      count(latency.answering, answering.ms);
      count(latency.beside, beside.ms);
    },
    skip(more) {
      skipped += more;
    },
    state: () => ({
      counts: {
        rows,
        skipped,
        fit: [...fit],
        agreed,
        table: [...table.values()].map(([a, b, n]): [number, number, number] => [a, b, n]),
        ...sums,
        latency: { answering: [...latency.answering], beside: [...latency.beside] },
      } satisfies PairCounts,
      disagreements: [...disagreements],
      omitted,
    }),
  };
}

/** The answer that would stand; null where none would. */
function standing({ manifest, answers, refused, ms }: Side, row: number): ModelAnswer | null {
  const answer = answers?.[row] ?? null;
  if (!answer || refused(row) || ms === null || ms > manifest.limits.latencyMs) return null;
  const floor = manifest.fallback.confidenceFloor;
  return floor !== null && answer.confidence !== null && answer.confidence < floor ? null : answer;
}

function classOf({ output }: Manifest, { label }: ModelAnswer): number {
  return output.task === "classification" && label !== null ? output.classes.indexOf(label) : 0;
}

function sameAnswer(a: ModelAnswer, b: ModelAnswer): boolean {
  if (a.label !== null || b.label !== null) return a.label === b.label;
  if (a.value !== null && b.value !== null) return agree(a.value, b.value);
  if (!a.outputs || !b.outputs) return false;
  const theirs = b.outputs;
  return Object.entries(a.outputs).every(([name, tensor]) => theirs[name] && sameTensor(tensor, theirs[name]));
}

function sameTensor(a: Tensor, b: Tensor): boolean {
  if (a.data.length !== b.data.length) return false;
  for (let i = 0; i < a.data.length; i++) {
    const [one, other] = [elementOf(a, i), elementOf(b, i)];
    if (one === other) continue;
    if (typeof one === "string" || typeof other === "string" || !agree(one, other)) return false;
  }
  return true;
}

function elementOf({ datatype, data }: Tensor, i: number): number | string {
  const element = data[i] as number | bigint | string;
  if (typeof element === "string") return element;
  return datatype === "FP16" ? fromHalf(element as number) : Number(element);
}

/** Of the other's minus the answering one's. */
function plus(sums: PairSums | null, a: number | null, b: number | null): PairSums | null {
  if (!sums || a === null || b === null) return sums;
  const difference = Math.max(-mostDifference, Math.min(mostDifference, b - a));
  return { n: sums.n + 1, sum: sums.sum + difference, sumSquares: sums.sumSquares + difference * difference };
}

function binsOf(counts: LatencyCounts = []): Map<number, number> {
  return new Map(counts.map(([bin, n]) => [bin, n]));
}

function count(bins: Map<number, number>, ms: number | null): void {
  if (ms === null) return;
  const bin = latencyBin(Math.max(leastMs, ms));
  bins.set(bin, (bins.get(bin) ?? 0) + 1);
}

function bytesIn(disagreement: TallyState["disagreements"][number]): number {
  return utf8(JSON.stringify(JSON.stringify(disagreement))).length;
}
