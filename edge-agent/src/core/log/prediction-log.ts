/**
 * The log of one model's predictions on this device: every answer has a number, and no number is used twice or lost
 * unaccounted. model-slot appends; batch-sender sends what `batches` holds.
 *
 *     append → segment file (page cache, synced once a second) → cut → batch file (synced) → stored above → deleted
 *
 * Numbers are reserved on the disk in blocks. After SIGKILL numbering goes on after the last whole record. After a power
 * loss, which may have taken answered rows with it, it goes on at the end of the reserved block, and an account says exactly
 * which numbers are missing. A hole is never stored: it is what lies between two batches.
 *
 * Where a row cannot be written its answer is given all the same, and its number is told as missing (given-numbers).
 */
import { toHex } from "@vedette/protocol/bytes";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { formatPredictionId } from "@vedette/protocol/ids";
import type { WhenFull } from "@vedette/protocol/log-policy";
import { closeAll } from "../close-all.ts";
import type { Ports } from "../ports.ts";
import { type BatchQueue, openBatchQueue } from "./batch-queue.ts";
import { type BatchLimits, type BatchPorts, createAccountant, createBatchWriter } from "./batch-writer.ts";
import { openGivenNumbers } from "./given-numbers.ts";
import { countRows, type LoggedRows } from "./logged-rows.ts";
import { encodeRows, encodeVersion, readRecord, readRecords } from "./segment.ts";
import { noSegmentFile, openSegmentFile, type SegmentFile } from "./segment-file.ts";
import { setAside } from "./set-aside.ts";
import { createSpoolBudget, type SpoolBudget } from "./spool-budget.ts";
import { readSpoolState } from "./spool-state.ts";

export interface PredictionLog {
  readonly epoch: string;
  /** Every epoch of which something may wait here, this one included. */
  readonly epochs: readonly string[];
  /** Batches that wait until the control plane has stored them. */
  readonly pending: number;
  readonly batches: BatchQueue;
  /** What a hello says is still here: see `held` in the protocol's request. */
  held(epoch: string): { seq: number; n: number | null } | undefined;
  /** Null where `count` numbers can be reserved now; else resolves when they can. @throws VedetteError storage_failed. */
  room(count: number): Promise<void> | null;
  /** Takes the next `count` numbers and returns the first. @throws VedetteError busy where `room` was not waited for. */
  reserve(count: number): number;
  /** `agent.stream.epoch.n`. */
  id(n: number): string;
  /**
   * One write: when it returns null, a killed process loses none of these rows. Else the disk takes no more rows: they are
   * not in the log, and may be answered when the promise resolves, for then their numbers will be told as missing.
   * It rejects VedetteError storage_failed where not even that is certain. Numbers come in the order of `reserve`.
   * @throws VedetteError invalid_input where a text is too long.
   */
  append(rows: LoggedRows): Promise<void> | null;
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
   * answers had to wait for the disk, four times at most.
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

const isSegment = (name: string): boolean => /^segment-\d{12}$/.test(name);

/**
 * Opens the spool of a stream, and makes batches of what a dead process left in its segments.
 * @param options.offset ms to add to the device's clock to reach the control plane's; null before it is known.
 * @throws VedetteError storage_failed.
 */
export async function openPredictionLog(options: {
  agent: string;
  stream: string;
  ports: BatchPorts & Pick<Ports, "storage">;
  limits?: Partial<LogLimits>;
  offset?: () => number | null;
  /** Shared by all logs of a device. */
  budget?: SpoolBudget;
  /** Of this log alone; a stream may have several, whose epochs tell them apart. */
  folder?: string;
}): Promise<PredictionLog> {
  const { agent, stream, ports, offset = () => null } = options;
  const { clock, storage, log } = ports;
  const budget = options.budget ?? createSpoolBudget({}, log);
  const limits = { ...defaultLimits, ...options.limits };
  const folder = options.folder ?? `spool/${stream}`;

  const before = await readSpoolState(folder, ports);
  // Of rows whose batch number nobody knows any more, or that another device may have sent, no batch can be made.
  if (!before) await setAside(folder, ports, isSegment);
  const epoch = before?.epoch ?? toHex(ports.random.bytes(8));
  const idPrefix = formatPredictionId({ agent, stream, epoch, n: 0 }).slice(0, -1);
  const account = createAccountant({ agent, stream, ports, offset });
  const batches = await openBatchQueue({ folder, ports, account, beforeDrop: (going) => numbers.prove(going) });
  const writer = createBatchWriter({
    agent,
    stream,
    epoch,
    ports,
    limits,
    batches,
    account,
    offset,
    nextSeq: before?.nextSeq ?? 0,
    batchedTo: before?.batchedTo ?? 0,
  });

  const numbers = await openGivenNumbers({
    stream,
    folder,
    epoch,
    ports,
    before,
    written: writer,
    reserveAhead: limits.reserveAhead,
    onUnmarked: armAge,
  });
  const names = (await storage.list(folder)).filter(isSegment);
  let segmentNumber = Math.max(-1, ...names.map((name) => Number(name.slice(8)))) + 1;
  await batchOld();
  await numbers.start();
  /** The policy of the version that answered last. */
  let whenFull: WhenFull = "oldest";
  const leaveBudget = budget.enter({
    stream,
    queue: batches,
    whenFull: () => whenFull,
    now: () => {
      const toControlPlane = offset();
      return toControlPlane === null ? null : clock.now() + toControlPlane;
    },
  });
  await budget.enforce();

  let open: SegmentFile = await newSegment().catch((error: unknown) => {
    log.error("segment_not_opened", { stream, error: messageOf(error), next: "answers are given and counted" });
    return noSegmentFile();
  });
  /** Full segments whose batches are not all written yet. */
  const full: SegmentFile[] = [];
  let cutting: Promise<void> = Promise.resolve();
  let cutWaits = false;
  let cancelAge: (() => void) | undefined;
  let cancelSync: (() => void) | undefined;
  let closed = false;
  if (numbers.unlogged.length > 0 || open.broken) armAge();

  /** Makes batches of what a dead process left in its segments. */
  async function batchOld(): Promise<void> {
    for (const name of names) {
      const path = `${folder}/${name}`;
      const bytes = await storage.read(path);
      if (bytes) await writer.write(readRecords(bytes), numbers.unlogged, "here");
      await storage.remove(path);
    }
  }

  function newSegment(): Promise<SegmentFile> {
    return openSegmentFile(storage, `${folder}/segment-${String(segmentNumber++).padStart(12, "0")}`);
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
    await writer.account(numbers.unlogged.filter(({ from }) => from < open.firstN));
    await numbers.healed();
    await budget.enforce();
  }

  async function batchFull(): Promise<void> {
    for (let segment = full[0]; segment; segment = full[0]) {
      await writer.write(segment.records.map(readRecord), numbers.unlogged);
      await segment.file.close();
      if (segment.path !== "") await storage.remove(segment.path);
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

  return {
    epoch,
    batches,
    held(of) {
      for (const batch of batches.waiting) if (batch.epoch === of) return { seq: batch.seq, n: null };
      return of === epoch ? { seq: writer.nextSeq, n: writer.batchedTo } : undefined;
    },
    get epochs() {
      return [...new Set([...batches.waiting].map((batch) => batch.epoch)).add(epoch)];
    },
    get pending() {
      return batches.size;
    },
    room: numbers.room,
    reserve(count) {
      if (closed) throw new VedetteError("not_ready", `the log of ${stream} is closed: the agent is stopping`);
      return numbers.reserve(count);
    },
    id: (n) => `${idPrefix}${n}`,
    append(rows) {
      const count = countRows(rows.groups);
      if (count === 0) return null;
      whenFull = rows.version.policy?.whenFull ?? "oldest";
      if (open.broken) {
        armAge();
        return numbers.giveUnlogged(rows.firstN, count, rows.version);
      }
      let record: Uint8Array<ArrayBuffer>;
      try {
        record = encodeRows(rows);
      } catch (error) {
        numbers.noteUnanswered(rows.firstN, count, rows.version);
        throw error;
      }
      const head = open.version === rows.version ? undefined : encodeVersion(rows.version);
      try {
        if (head) open.file.append(head);
        open.file.append(record);
      } catch (error) {
        log.error("spool_append_failed", { stream, error: messageOf(error) });
        open.broken = true;
        cutSoon();
        return numbers.giveUnlogged(rows.firstN, count, rows.version);
      }
      if (head) open.records.push(head);
      open.version = rows.version;
      open.records.push(record);
      open.bytes += record.length;
      open.rows += count;
      open.firstN = Math.min(open.firstN, rows.firstN);
      armSync();
      if (open.rows >= limits.batchRows || open.bytes >= limits.batchBytes) cutSoon();
      else armAge();
      return null;
    },
    cut,
    async close() {
      if (closed) return;
      closed = true;
      cancelAge?.();
      cancelSync?.();
      leaveBudget();
      await closeAll(`the log of ${stream}`, [
        async () => {
          await cut();
          await numbers.close();
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
        () => (open.rows > 0 || open.path === "" ? undefined : storage.remove(open.path)),
      ]);
    },
  };
}
