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
 * Where a row cannot be written its answer is given all the same, and its number is told as missing. So that a killed
 * process gives no number twice, the state must say so first; where not even that can be written, the file that the state
 * names as its mark is removed, which a full disk allows: without it, numbering goes on far beyond the reserved block.
 */
import { toHex } from "@vedette/protocol/bytes";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { formatPredictionId } from "@vedette/protocol/ids";
import type { WhenFull } from "@vedette/protocol/log-policy";
import { closeAll } from "../close-all.ts";
import type { AppendFile, Ports } from "../ports.ts";
import { type BatchQueue, openBatchQueue, type WaitingBatch } from "./batch-queue.ts";
import {
  type BatchLimits,
  type BatchPorts,
  createAccountant,
  createBatchWriter,
  type Unlogged,
} from "./batch-writer.ts";
import {
  countRows,
  encodeRows,
  encodeVersion,
  type LoggedRows,
  type LoggedVersion,
  readRecord,
  readRecords,
} from "./segment.ts";
import { setAside } from "./set-aside.ts";
import { createSpoolBudget, type SpoolBudget } from "./spool-budget.ts";
import { readSpoolState, type SpoolState, writeSpoolState } from "./spool-state.ts";

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
/** More numbers than a process gives that can write nothing. */
const beyondReserved = 2 ** 36;

const shortOf = ({ digest, release }: LoggedVersion): Unlogged["version"] => ({ digest, release });
const isSegment = (name: string): boolean => /^segment-\d{12}$/.test(name);

interface Segment {
  readonly path: string;
  readonly file: AppendFile;
  records: Uint8Array<ArrayBuffer>[];
  bytes: number;
  rows: number;
  /** Of its first row; infinite before there is one. */
  firstN: number;
  version: LoggedVersion | undefined;
  /** An append failed: what is in the file after that point is unknown, so no more is written to it. */
  broken: boolean;
}

/** Where none could be opened. */
const noSegment: Segment = {
  path: "",
  file: { append: () => undefined, sync: () => Promise.resolve(), close: () => Promise.resolve() },
  records: [],
  bytes: 0,
  rows: 0,
  firstN: Number.POSITIVE_INFINITY,
  version: undefined,
  broken: true,
};

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
}): Promise<PredictionLog> {
  const { agent, stream, ports, offset = () => null } = options;
  const { clock, storage, log } = ports;
  const budget = options.budget ?? createSpoolBudget({}, log);
  const limits = { ...defaultLimits, ...options.limits };
  const folder = `spool/${stream}`;
  const markerOf = (mark: number): string => `${folder}/logged-${mark}`;

  const before = await readSpoolState(folder, ports);
  // Of rows whose batch number nobody knows any more, or that another device may have sent, no batch can be made.
  if (!before) await setAside(folder, ports, isSegment);
  const epoch = before?.epoch ?? toHex(ports.random.bytes(8));
  const idPrefix = formatPredictionId({ agent, stream, epoch, n: 0 }).slice(0, -1);
  const account = createAccountant({ agent, stream, ports, offset });
  const batches = await openBatchQueue({ folder, ports, account, beforeDrop: proveNumbers });
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

  const marks = (await storage.list(folder))
    .filter((name) => /^logged-\d{1,15}$/.test(name))
    .map((name) => Number(name.slice(7)));
  const unmarked = before?.mark !== undefined && !marks.includes(before.mark);
  let mark = Math.max(0, before?.mark ?? 0, ...marks);
  const powerLost = before !== undefined && !before.clean && before.bootId !== storage.bootId;
  /** Numbers that were handed out and are in no record, in order. */
  let unlogged: Unlogged[] = (before?.unlogged ?? []).filter(({ to }) => to > writer.batchedTo);
  const explain = (to: number, reason: string): void => {
    const from = Math.max(writer.batchedTo, unlogged.at(-1)?.to ?? 0);
    if (to > from) unlogged.push({ from, to, reason, version: null });
  };
  if (unmarked) explain(before.reservedTo, "disk_full");
  const names = (await storage.list(folder)).filter(isSegment);
  let segmentNumber = Math.max(-1, ...names.map((name) => Number(name.slice(8)))) + 1;
  await batchOld();
  let ahead = limits.reserveAhead;
  unlogged = unlogged.filter(({ to }) => to > writer.batchedTo);
  if (powerLost) explain(before.reservedTo, "power_loss");
  let nextN = Math.max(writer.batchedTo, before?.nextN ?? 0, unlogged.at(-1)?.to ?? 0);
  if (unlogged.length > 0) {
    const by = unlogged.map(({ reason }) => reason).join(", ");
    log.warn("predictions_lost", { stream, from: writer.batchedTo, to: nextN - 1, by });
  }
  if (unmarked) {
    // How far beyond the reserved block answers went is not known, only that no block is as long as this.
    explain(nextN + beyondReserved, "unanswered");
    nextN += beyondReserved;
  }
  let writing: Promise<void> = Promise.resolve();
  let marked = true;
  let durable: SpoolState = before ?? stateNow(0, false);
  try {
    await markAnew(() => nextN + ahead);
    for (const old of marks) await storage.remove(markerOf(old));
  } catch (error) {
    // On a full disk a device that has numbers to give starts all the same.
    if (!before || unmarked) throw error;
    log.error("spool_state_not_written", { stream, error: messageOf(error), next: "answers are given and counted" });
    await unmark();
  }
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

  let open = await newSegment().catch((error: unknown) => {
    log.error("segment_not_opened", { stream, error: messageOf(error), next: "answers are given and counted" });
    return { ...noSegment };
  });
  /** Full segments whose batches are not all written yet. */
  const full: Segment[] = [];
  let reserving: Promise<void> | undefined;
  let cutting: Promise<void> = Promise.resolve();
  let cutWaits = false;
  let unloggedSaid = false;
  let saving: Promise<void> | undefined;
  let cancelAge: (() => void) | undefined;
  let cancelSync: (() => void) | undefined;
  let closed = false;
  if (unlogged.length > 0 || open.broken) armAge();

  function stateNow(reservedTo: number, clean: boolean): SpoolState {
    const { nextSeq, batchedTo } = writer;
    const place = storage.place === undefined ? {} : { place: storage.place };
    const untold = unlogged.map(({ from, to, reason, version }) => ({ from, to, reason, version }));
    return {
      v: 1,
      epoch,
      bootId: storage.bootId,
      ...place,
      clean,
      nextN,
      unlogged: untold,
      mark,
      reservedTo,
      nextSeq,
      batchedTo,
    };
  }

  /** Makes batches of what a dead process left in its segments. */
  async function batchOld(): Promise<void> {
    for (const name of names) {
      const path = `${folder}/${name}`;
      const bytes = await storage.read(path);
      if (bytes) await writer.write(readRecords(bytes), unlogged);
      await storage.remove(path);
    }
  }

  /** One state write at a time, each with what is true when it begins. */
  function writeState(reservedTo: () => number, clean = false): Promise<void> {
    const write = writing.then(async () => {
      const state = stateNow(Math.max(durable.reservedTo, reservedTo(), nextN), clean);
      await writeSpoolState(folder, storage, state);
      durable = state;
    });
    writing = write.catch(() => undefined);
    return write;
  }

  /** Before the newest batches are deleted, the state must say that their numbers were used. */
  async function proveNumbers(going: readonly WaitingBatch[]): Promise<void> {
    const last = Math.max(-1, ...going.filter((batch) => batch.epoch === epoch).map(({ through }) => through));
    if (durable.nextSeq <= last) await writeState(() => durable.reservedTo);
  }

  /**
   * Makes sure that a killed process will know these numbers for used. Resolves when they may be answered.
   * @throws VedetteError storage_failed.
   */
  async function giveUnlogged(rows: LoggedRows, count: number, reason: string): Promise<void> {
    const { firstN, version } = rows;
    const last = unlogged.at(-1);
    if (last?.to === firstN && last.reason === reason && last.version?.digest === version.digest) {
      unlogged[unlogged.length - 1] = { ...last, to: firstN + count };
    } else unlogged.push({ from: firstN, to: firstN + count, reason, version: shortOf(version) });
    if (!unloggedSaid)
      log.error("predictions_not_logged", { stream, from: firstN, next: "answers go on; they are counted" });
    unloggedSaid = true;
    if (!marked) return;
    try {
      await saveSoon();
    } catch (error) {
      log.warn("spool_state_not_written", { stream, error: messageOf(error) });
      await unmark();
    }
  }
  /** One write for all that ask before it begins. */
  function saveSoon(): Promise<void> {
    saving ??= writing.then(() => {
      saving = undefined;
      return writeState(() => durable.reservedTo);
    });
    return saving;
  }
  /** @throws VedetteError storage_failed; then it is as it was. */
  async function unmark(): Promise<void> {
    await storage.remove(markerOf(durable.mark ?? mark));
    // Numbers beyond the reserved block may follow, which a power failure must not make free again.
    await storage.settle?.(folder);
    marked = false;
  }
  /** The new mark is there before the state that names it: a kill between leaves the former state with its own. */
  async function markAnew(reservedTo: () => number): Promise<void> {
    const former = durable.mark;
    mark++;
    await storage.write(markerOf(mark), new Uint8Array(1));
    marked = true;
    await writeState(reservedTo);
    if (former !== undefined && former !== mark) await storage.remove(markerOf(former));
  }

  /** All that was handed out is in batches: the disk takes rows again. */
  async function healed(): Promise<void> {
    unlogged = unlogged.filter(({ to }) => to > writer.batchedTo);
    if (unlogged.length > 0) return;
    unloggedSaid = false;
    if (marked) return;
    await markAnew(() => nextN + ahead);
  }

  async function newSegment(): Promise<Segment> {
    const path = `${folder}/segment-${String(segmentNumber++).padStart(12, "0")}`;
    const file = await storage.append(path);
    return {
      path,
      file,
      records: [],
      bytes: 0,
      rows: 0,
      firstN: Number.POSITIVE_INFINITY,
      version: undefined,
      broken: false,
    };
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
    await writer.account(unlogged.filter(({ from }) => from < open.firstN));
    await healed();
    await budget.enforce();
  }

  async function batchFull(): Promise<void> {
    for (let segment = full[0]; segment; segment = full[0]) {
      await writer.write(segment.records.map(readRecord), unlogged);
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

  function reserveMore(count: number): Promise<void> {
    reserving ??= writeState(() => nextN + count + ahead).finally(() => {
      reserving = undefined;
    });
    return reserving;
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
    room(count) {
      if (!marked || nextN + count <= durable.reservedTo) return null;
      ahead = Math.min(2 * ahead, limits.reserveAhead * 2 ** maxDoublings);
      return (async () => {
        while (marked && nextN + count > durable.reservedTo) {
          try {
            await reserveMore(count);
          } catch (error) {
            log.error("numbers_not_reserved", { stream, error: messageOf(error), next: "answers go on" });
            await unmark();
            armAge();
          }
        }
      })();
    },
    reserve(count) {
      if (closed) throw new VedetteError("not_ready", `the log of ${stream} is closed: the agent is stopping`);
      if (marked && nextN + count > durable.reservedTo) {
        throw new VedetteError("busy", `the log of ${stream} has no ${count} numbers reserved: wait for room first`);
      }
      const first = nextN;
      nextN += count;
      if (marked && durable.reservedTo - nextN < ahead / 2 && !reserving) {
        reserveMore(0).catch((error: unknown) =>
          log.error("numbers_not_reserved", { stream, error: messageOf(error) }),
        );
      }
      return first;
    },
    id: (n) => `${idPrefix}${n}`,
    append(rows) {
      const count = countRows(rows.groups);
      if (count === 0) return null;
      whenFull = rows.version.policy?.whenFull ?? "oldest";
      if (open.broken) {
        armAge();
        return giveUnlogged(rows, count, "disk_full");
      }
      let record: Uint8Array<ArrayBuffer>;
      try {
        record = encodeRows(rows);
      } catch (error) {
        unlogged.push({
          from: rows.firstN,
          to: rows.firstN + count,
          reason: "unanswered",
          version: shortOf(rows.version),
        });
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
        return giveUnlogged(rows, count, "disk_full");
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
        () => (open.rows > 0 || open.path === "" ? undefined : storage.remove(open.path)),
      ]);
    },
  };
}
