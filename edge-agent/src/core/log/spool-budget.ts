/**
 * How much of the disk the spools of a device may take. When there is more, the log that takes most gives batches up, by
 * its own policy: the oldest, or such that an even sample is left. What goes leaves an account of its numbers. Called
 * by each log after a batch was written; one for all logs of a device.
 */
import { messageOf } from "@vedette/protocol/errors";
import type { WhenFull } from "@vedette/protocol/log-policy";
import type { Logger } from "../ports.ts";
import type { OwnBatchQueue, WaitingBatch } from "./batch-queue.ts";

export interface SpoolLimits {
  /** Of all batches that wait on this device. */
  readonly bytes: number;
  /** ms since a batch was cut, by the control plane's clock; no batch ages where the device does not know that. */
  readonly ageMs: number;
}
const defaultSpoolLimits: SpoolLimits = { bytes: 256 * 1024 * 1024, ageMs: Number.POSITIVE_INFINITY };

interface BudgetedLog {
  readonly stream: string;
  readonly queue: OwnBatchQueue;
  readonly whenFull: () => WhenFull;
  /** UTC ms by the control plane's clock; null where it is not known. */
  readonly now: () => number | null;
}
export interface SpoolBudget {
  readonly limits: SpoolLimits;
  /** Enters a log; the answer takes it out again. */
  enter(log: BudgetedLog): () => void;
  /** Gives up what is too much or too old. Resolves when it is done, and never rejects: what failed is tried again next time. */
  enforce(): Promise<void>;
}

export function createSpoolBudget(limits: Partial<SpoolLimits>, logger: Logger): SpoolBudget {
  const { bytes, ageMs } = { ...defaultSpoolLimits, ...limits };
  const logs = new Set<BudgetedLog>();
  let working: Promise<void> = Promise.resolve();

  const taken = (): number => [...logs].reduce((sum, { queue }) => sum + queue.bytes, 0);

  async function dropAged({ queue, now }: BudgetedLog): Promise<void> {
    const today = now();
    if (today === null || ageMs === Number.POSITIVE_INFINITY) return;
    for (const { key, rows } of [...queue.waiting]) {
      if (rows?.cutAt != null && today - rows.cutAt > ageMs) await queue.giveUp(key, "dropped_age");
    }
  }

  async function dropOver(): Promise<void> {
    let dropped = 0;
    while (taken() > bytes) {
      const largest = [...logs].sort((a, b) => b.queue.bytes - a.queue.bytes);
      const log = largest.find(({ queue }) => batchesOf(queue).length > 0);
      if (!log) break;
      const sampling = log.whenFull() === "sample";
      const { key } = firstToGo(batchesOf(log.queue), sampling);
      await log.queue.giveUp(key, sampling ? "sampled" : "dropped_budget");
      dropped++;
    }
    if (dropped > 0)
      logger.warn("spool_over_budget", { batches: dropped, budget: bytes, told: "as missing, by number" });
  }

  return {
    limits: { bytes, ageMs },
    enter(log) {
      logs.add(log);
      return () => void logs.delete(log);
    },
    enforce() {
      working = working.then(async () => {
        try {
          for (const log of logs) await dropAged(log);
          await dropOver();
        } catch (error) {
          logger.error("spool_budget_not_kept", { budget: bytes, taken: taken(), error: messageOf(error) });
        }
      });
      return working;
    },
  };
}

function batchesOf(queue: OwnBatchQueue): WaitingBatch[] {
  return [...queue.waiting].filter(({ rows }) => rows !== null);
}

/**
 * The oldest. Where a sample shall be left, the oldest of those whose number is divisible by two the fewest times: so first
 * every second batch goes, then every second of the others; what is left stands evenly in time, and a new one that falls
 * between goes at once.
 */
function firstToGo(batches: readonly WaitingBatch[], sampling: boolean): WaitingBatch {
  const twos = (seq: number): number => (seq === 0 ? 32 : Math.log2(seq & -seq));
  return batches.reduce((first, batch) => (sampling && twos(batch.seq) < twos(first.seq) ? batch : first));
}
