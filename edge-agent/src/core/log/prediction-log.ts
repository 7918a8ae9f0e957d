/**
 * The log of one model's predictions on this device: every answer has a number, and no number is used twice or lost
 * unaccounted. model-slot appends; batch-sender sends what `batches` holds.
 *
 *     append → segment file (page cache, synced once a second) → cut → batch file (synced) → stored above → deleted
 *
 * Numbers are reserved on the disk in blocks. After SIGKILL numbering goes on after the last whole record. After a power
 * loss, which may have taken answered rows with it, it goes on at the end of the reserved block, and the batch after the
 * hole says exactly which numbers are missing. A hole is never stored: it is what lies between two batches.
 */
import { toHex } from "@vedette/protocol/bytes";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { formatPredictionId } from "@vedette/protocol/ids";
import { closeAll } from "../close-all.ts";
import type { AppendFile, Ports } from "../ports.ts";
import { type BatchQueue, openBatchQueue } from "./batch-queue.ts";
import { type BatchLimits, createBatchWriter } from "./batch-writer.ts";
import {
  countRows,
  encodeRows,
  encodeVersion,
  type LoggedRows,
  type LoggedVersion,
  readRecord,
  readRecords,
} from "./segment.ts";
import { readSpoolState, type SpoolState, writeSpoolState } from "./spool-state.ts";

export interface PredictionLog {
  readonly epoch: string;
  /** Batches that wait until the control plane has stored them. */
  readonly pending: number;
  readonly batches: BatchQueue;
  /** What a hello says is still here: see `held` in the protocol's request. */
  readonly held: { readonly seq: number; readonly n: number | null };
  /** Null where `count` numbers can be reserved now; else resolves when they can. @throws VedetteError storage_failed. */
  room(count: number): Promise<void> | null;
  /** Takes the next `count` numbers and returns the first. @throws VedetteError busy where `room` was not waited for. */
  reserve(count: number): number;
  /** `agent.stream.epoch.n`. */
  id(n: number): string;
  /**
   * One write: when it returns, a killed process loses none of these rows. Numbers come in the order of `reserve`.
   * @throws VedetteError storage_failed: the rows are not in the log and must not be answered.
   */
  append(rows: LoggedRows): void;
  /** Makes batches of all rows so far. @throws VedetteError storage_failed; the rows stay, and the next cut tries again. */
  cut(): Promise<void>;
  /** Cuts and remembers that nothing was lost. */
  close(): Promise<void>;
}

export interface LogLimits extends BatchLimits {
  /** Bytes of a segment before it is cut. */
  readonly batchBytes: number;
  /** Age of the oldest row that is in no batch, ms. */
  readonly batchAgeMs: number;
  /**
   * Numbers reserved ahead on the disk: what a power loss reports at most beyond what it took. Doubled each time that
   * answers had to wait for the disk, `maxDoublings` times at most.
   */
  readonly reserveAhead: number;
}
const defaultLimits: LogLimits = {
  batchRows: 2000,
  batchBytes: 256 * 1024,
  batchAgeMs: 10_000,
  frameBytes: 96 * 1024,
  reserveAhead: 8192,
};
const syncEveryMs = 1000;
const maxDoublings = 4;

interface Segment {
  readonly path: string;
  readonly file: AppendFile;
  records: Uint8Array<ArrayBuffer>[];
  bytes: number;
  rows: number;
  version: LoggedVersion | undefined;
  /** An append failed: what is in the file after that point is unknown, so no more is written to it. */
  broken: boolean;
}

/**
 * Opens the spool of a stream, and makes batches of what a dead process left in its segments.
 * @param options.offset ms to add to the device's clock to reach the control plane's; null before it is known.
 * @throws VedetteError storage_failed.
 */
export async function openPredictionLog(options: {
  agent: string;
  stream: string;
  ports: Pick<Ports, "clock" | "random" | "storage" | "compressor" | "log">;
  limits?: Partial<LogLimits>;
  offset?: () => number | null;
}): Promise<PredictionLog> {
  const { agent, stream, ports } = options;
  const { clock, storage, log } = ports;
  const limits = { ...defaultLimits, ...options.limits };
  const folder = `spool/${stream}`;

  const before = await readSpoolState(folder, ports);
  if (!before) await clearFolder();
  const epoch = before?.epoch ?? toHex(ports.random.bytes(8));
  const idPrefix = formatPredictionId({ agent, stream, epoch, n: 0 }).slice(0, -1);
  const batches = await openBatchQueue({ folder, ports, beforeDrop: (seqs) => proveNumbers(Math.max(...seqs)) });
  const writer = createBatchWriter({
    agent,
    stream,
    epoch,
    ports,
    limits,
    batches,
    offset: options.offset ?? (() => null),
    nextSeq: before?.nextSeq ?? 0,
    batchedTo: before?.batchedTo ?? 0,
  });

  const names = (await storage.list(folder)).filter((name) => /^segment-\d{12}$/.test(name));
  let segmentNumber = Math.max(-1, ...names.map((name) => Number(name.slice(8)))) + 1;
  for (const name of names) {
    const bytes = await storage.read(`${folder}/${name}`);
    if (bytes) await writer.write(readRecords(bytes));
    await storage.remove(`${folder}/${name}`);
  }
  const powerLost = before !== undefined && !before.clean && before.bootId !== storage.bootId;
  let ahead = limits.reserveAhead;
  const { batchedTo } = writer;
  let nextN = Math.max(batchedTo, before?.nextN ?? 0, powerLost ? before.reservedTo : 0);
  if (powerLost && nextN > batchedTo) log.warn("predictions_lost", { stream, from: batchedTo, to: nextN - 1 });
  let durable: SpoolState = stateNow(nextN + ahead, false);
  await writeSpoolState(folder, storage, durable);

  let open = await newSegment();
  /** Full segments whose batches are not all written yet. */
  const full: Segment[] = [];
  let writing: Promise<void> = Promise.resolve();
  let reserving: Promise<void> | undefined;
  let cutting: Promise<void> = Promise.resolve();
  let cutWaits = false;
  let cancelAge: (() => void) | undefined;
  let cancelSync: (() => void) | undefined;
  let closed = false;

  function stateNow(reservedTo: number, clean: boolean): SpoolState {
    const { nextSeq, batchedTo } = writer;
    return { v: 1, epoch, bootId: storage.bootId, clean, nextN, reservedTo, nextSeq, batchedTo };
  }

  /** One state write at a time, each with what is true when it begins. */
  function writeState(reservedTo: () => number, clean = false): Promise<void> {
    const write = writing.then(async () => {
      const state = stateNow(Math.max(durable.reservedTo, reservedTo()), clean);
      await writeSpoolState(folder, storage, state);
      durable = state;
    });
    writing = write.catch(() => undefined);
    return write;
  }

  /** Before the newest batches are deleted, the state must say that their numbers were used. */
  async function proveNumbers(seq: number): Promise<void> {
    if (durable.nextSeq <= seq) await writeState(() => durable.reservedTo);
  }

  async function clearFolder(): Promise<void> {
    for (const name of await storage.list(folder)) {
      if (/^(batch|segment)-/.test(name)) await storage.remove(`${folder}/${name}`);
    }
  }

  async function newSegment(): Promise<Segment> {
    const path = `${folder}/segment-${String(segmentNumber++).padStart(12, "0")}`;
    const file = await storage.append(path);
    return { path, file, records: [], bytes: 0, rows: 0, version: undefined, broken: false };
  }

  async function cutNow(): Promise<void> {
    cutWaits = false;
    // First, so that a full disk fails here: each try would leave one more segment open.
    await batchFull();
    if (open.rows > 0 || open.broken) {
      const next = await newSegment();
      cancelAge?.();
      cancelAge = undefined;
      full.push(open);
      open = next;
    }
    await batchFull();
  }

  async function batchFull(): Promise<void> {
    for (let segment = full[0]; segment; segment = full[0]) {
      await writer.write(segment.records.map(readRecord));
      await segment.file.close();
      await storage.remove(segment.path);
      full.shift();
    }
  }

  function cut(): Promise<void> {
    if (cutWaits) return cutting;
    cutWaits = true;
    cutting = cutting.then(cutNow, cutNow);
    return cutting;
  }

  function cutSoon(): void {
    if (closed || cutWaits) return;
    cut().catch((error: unknown) => {
      log.error("batch_not_written", { stream, error: messageOf(error), next: "tried again with the next batch" });
      armAge();
    });
  }
  function armAge(): void {
    if (closed) return;
    cancelAge ??= clock.after(limits.batchAgeMs, () => {
      cancelAge = undefined;
      cutSoon();
    });
  }
  function armSync(): void {
    cancelSync ??= clock.after(syncEveryMs, () => {
      cancelSync = undefined;
      const segment = open;
      segment.file.sync().catch((error: unknown) => {
        // A segment that was cut meanwhile is closed, and its rows are in a synced batch.
        if (segment === open) log.error("spool_not_synced", { stream, error: messageOf(error) });
      });
    });
  }

  function reserveMore(count: number): Promise<void> {
    reserving ??= writeState(() => nextN + count + ahead).finally(() => {
      reserving = undefined;
    });
    return reserving;
  }

  return {
    epoch,
    batches,
    get held() {
      for (const { seq } of batches.waiting) return { seq, n: null };
      return { seq: writer.nextSeq, n: writer.batchedTo };
    },
    get pending() {
      return batches.size;
    },
    room(count) {
      if (nextN + count <= durable.reservedTo) return null;
      ahead = Math.min(2 * ahead, limits.reserveAhead * 2 ** maxDoublings);
      return (async () => {
        while (nextN + count > durable.reservedTo) await reserveMore(count);
      })();
    },
    reserve(count) {
      if (closed) throw new VedetteError("not_ready", `the log of ${stream} is closed: the agent is stopping`);
      if (nextN + count > durable.reservedTo) {
        throw new VedetteError("busy", `the log of ${stream} has no ${count} numbers reserved: wait for room first`);
      }
      const first = nextN;
      nextN += count;
      if (durable.reservedTo - nextN < ahead / 2 && !reserving) {
        reserveMore(0).catch((error: unknown) =>
          log.error("numbers_not_reserved", { stream, error: messageOf(error) }),
        );
      }
      return first;
    },
    id: (n) => `${idPrefix}${n}`,
    append(rows) {
      const count = countRows(rows.groups);
      if (count === 0) return;
      if (open.broken) {
        cutSoon();
        throw new VedetteError("storage_failed", `the log of ${stream} cannot be written: free space on this device`);
      }
      const record = encodeRows(rows);
      const head = open.version === rows.version ? undefined : encodeVersion(rows.version);
      try {
        if (head) open.file.append(head);
        open.file.append(record);
      } catch (cause) {
        open.broken = true;
        cutSoon();
        throw new VedetteError("storage_failed", `the log of ${stream} cannot be written: free space on this device`, {
          cause,
        });
      }
      if (head) open.records.push(head);
      open.version = rows.version;
      open.records.push(record);
      open.bytes += record.length;
      open.rows += count;
      armSync();
      if (open.rows >= limits.batchRows || open.bytes >= limits.batchBytes) cutSoon();
      else armAge();
    },
    cut,
    async close() {
      if (closed) return;
      closed = true;
      cancelAge?.();
      cancelSync?.();
      await closeAll(`the log of ${stream}`, [
        async () => {
          await cut();
          await writeState(() => nextN, true);
        },
        () =>
          closeAll(
            `the segments of ${stream}`,
            [...full, open].map(
              ({ file }) =>
                () =>
                  file.close(),
            ),
          ),
        // Rows that could not be made a batch stay for the next start.
        () => (open.rows > 0 ? undefined : storage.remove(open.path)),
      ]);
    },
  };
}
