/**
 * The batches of a spool that wait until the control plane has stored them: immutable files, oldest first.
 * prediction-log adds, batch-sender reads and drops.
 */
import type { Ports } from "../ports.ts";

export interface WaitingBatch {
  readonly seq: number;
  readonly firstN: number;
  readonly count: number;
}
export interface BatchQueue {
  /** How many wait. */
  readonly size: number;
  /** Oldest first. A batch that leaves or comes while this is read does no harm. */
  readonly waiting: Iterable<WaitingBatch>;
  has(seq: number): boolean;
  /** The frame to publish; undefined where the batch no longer waits. @throws VedetteError storage_failed. */
  read(seq: number): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Deletes what is stored at the control plane. @throws VedetteError storage_failed; what is left still waits. */
  drop(seqs: readonly number[]): Promise<void>;
  /** Moves a batch that was refused for good to `rejected/`, where a person finds it. @throws VedetteError storage_failed. */
  reject(seq: number, why: string): Promise<void>;
  /** Calls when a batch was added. */
  onAdded(call: () => void): void;
}
/** What the log itself does with its queue. */
export interface OwnBatchQueue extends BatchQueue {
  add(batch: WaitingBatch, frame: Uint8Array): Promise<void>;
}

/** Rejected batches kept for a person to look at; the oldest go first. */
const maxRejected = 16;

/** `batch-<seq>-<first n>-<count>`: what recovery needs, without opening the file. */
function fileName(batch: WaitingBatch): string {
  return `batch-${String(batch.seq).padStart(12, "0")}-${batch.firstN}-${batch.count}`;
}

function parseFileName(name: string): WaitingBatch | undefined {
  const match = /^batch-(\d{12})-(\d{1,16})-(\d{1,6})$/.exec(name);
  return match ? { seq: Number(match[1]), firstN: Number(match[2]), count: Number(match[3]) } : undefined;
}

/**
 * Finds the batches of a folder.
 * @param beforeDrop makes durable whatever only the batches about to be deleted still prove (their numbers).
 */
export async function openBatchQueue(options: {
  folder: string;
  ports: Pick<Ports, "storage" | "log">;
  beforeDrop: (seqs: readonly number[]) => Promise<void>;
}): Promise<OwnBatchQueue> {
  const { folder, ports, beforeDrop } = options;
  const { storage } = ports;
  /** By number; in the order of numbers, since names sort as their numbers and batches are added in order. */
  const waiting = new Map<number, WaitingBatch>();
  for (const name of await storage.list(folder)) {
    const batch = parseFileName(name);
    if (batch) waiting.set(batch.seq, batch);
  }
  const calls: (() => void)[] = [];
  const path = (batch: WaitingBatch): string => `${folder}/${fileName(batch)}`;

  async function drop(seqs: readonly number[]): Promise<void> {
    const going = seqs.filter((seq) => waiting.has(seq));
    if (going.length === 0) return;
    await beforeDrop(going);
    for (const seq of going) {
      const batch = waiting.get(seq);
      if (!batch) continue;
      await storage.remove(path(batch));
      waiting.delete(seq);
    }
  }

  return {
    get size() {
      return waiting.size;
    },
    get waiting() {
      return waiting.values();
    },
    has: (seq) => waiting.has(seq),
    async read(seq) {
      const batch = waiting.get(seq);
      return batch && storage.read(path(batch));
    },
    drop,
    async reject(seq, why) {
      const batch = waiting.get(seq);
      const frame = batch && (await storage.read(path(batch)));
      if (!batch || !frame) return;
      const rejected = `${folder}/rejected`;
      ports.log.error("batch_rejected", { ...batch, why, kept: `${rejected}/${fileName(batch)}` });
      await storage.write(`${rejected}/${fileName(batch)}`, frame);
      await drop([seq]);
      const kept = await storage.list(rejected);
      for (const name of kept.slice(0, Math.max(0, kept.length - maxRejected))) {
        await storage.remove(`${rejected}/${name}`);
      }
    },
    onAdded: (call) => void calls.push(call),
    async add(batch, frame) {
      await storage.write(path(batch), frame);
      waiting.set(batch.seq, batch);
      for (const call of calls) call();
    },
  };
}
