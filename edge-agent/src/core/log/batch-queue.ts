/**
 * What of a spool waits until the control plane has stored it: batches, and accounts of what is missing. Immutable files,
 * oldest first, of every epoch that this device still holds. prediction-log adds, batch-sender reads and drops,
 * spool-budget puts accounts in the place of batches. Names say all that recovery needs, so that no file is opened for it:
 *
 *     batch-<epoch>-<seq>-<first n>-<next n>-<bytes>-<cut at>-<release>-<digest>     "x" where it is not known
 *     lost-<epoch>-<seq>-<through seq>-<first n>-<next n>-<bytes>                    an account; its body is not compressed
 */
import { messageOf } from "@vedette/protocol/errors";
import { decodeBatch, type MissingRun, maxSettled, openFrame, signedHead } from "@vedette/protocol/prediction-batch";
import type { Ports } from "../ports.ts";

export interface WaitingBatch {
  /** Of this queue: epoch and number. */
  readonly key: string;
  readonly epoch: string;
  /** The batch numbers that it settles, inclusive; a batch of predictions has one. */
  readonly seq: number;
  readonly through: number;
  /** The predictions' numbers: from `firstN` up to `nextN`, exclusive. */
  readonly firstN: number;
  readonly nextN: number;
  /** Of the frame. */
  readonly bytes: number;
  /** Null: an account of what is missing. */
  readonly rows: {
    /** UTC ms by the control plane's clock; null where the device did not know it. */
    readonly cutAt: number | null;
    readonly digest: string | null;
    readonly release: number | null;
  } | null;
}
export interface BatchQueue {
  /** How many wait, and their bytes. */
  readonly size: number;
  readonly bytes: number;
  /** Oldest first. A batch that leaves or comes while this is read does no harm. */
  readonly waiting: Iterable<WaitingBatch>;
  get(key: string): WaitingBatch | undefined;
  /** The frame to publish; undefined where the batch no longer waits. @throws VedetteError storage_failed. */
  read(key: string): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /** Deletes what is stored at the control plane. @throws VedetteError storage_failed; what is left still waits. */
  drop(keys: readonly string[]): Promise<void>;
  /** Moves a batch that was refused for good to `rejected/`, where a person finds it. @throws VedetteError storage_failed. */
  reject(key: string, why: string): Promise<void>;
  /** Calls when a batch was added. */
  onAdded(call: () => void): void;
}
/** Makes the frame of an account. */
export type Accountant = (
  of: { epoch: string; seq: number },
  missing: readonly MissingRun[],
) => Promise<Uint8Array<ArrayBuffer>>;

/** What the log itself, and the budget, do with the queue. */
export interface OwnBatchQueue extends BatchQueue {
  /** Adds a batch or an account. @throws VedetteError storage_failed. */
  add(batch: Omit<WaitingBatch, "key" | "bytes">, frame: Uint8Array): Promise<void>;
  /**
   * Puts an account in the place of a batch, joined with those beside it: first the account is on the disk, then the batch
   * goes. @throws VedetteError storage_failed; the batch waits on, or its account is there already.
   */
  giveUp(key: string, reason: string): Promise<void>;
}

/** Rejected batches kept for a person to look at; the oldest go first. */
const maxRejected = 16;
/** Runs in one account. */
const maxRuns = 200;

const twelve = (number: number): string => String(number).padStart(12, "0");
const keyOf = (epoch: string, seq: number): string => `${epoch}-${twelve(seq)}`;

function fileName({ key, through, firstN, nextN, bytes, rows }: WaitingBatch): string {
  if (!rows) return `lost-${key}-${twelve(through)}-${firstN}-${nextN}-${bytes}`;
  const { cutAt, release, digest } = rows;
  const cut = cutAt === null ? "x" : Math.max(0, Math.floor(cutAt));
  return `batch-${key}-${firstN}-${nextN}-${bytes}-${cut}-${release ?? "x"}-${digest ?? "x"}`;
}

const numberOf = (text: string | undefined): number | null =>
  text === undefined || text === "x" ? null : Number(text);

function parseFileName(name: string): WaitingBatch | undefined {
  const rows =
    /^batch-([0-9a-f]{16})-(\d{12})-(\d{1,16})-(\d{1,16})-(\d{1,9})-(x|\d{1,16})-(x|\d{1,16})-(x|[0-9a-f]{64})$/.exec(
      name,
    );
  const lost = /^lost-([0-9a-f]{16})-(\d{12})-(\d{12})-(\d{1,16})-(\d{1,16})-(\d{1,9})$/.exec(name);
  const [, epoch = "", seqText] = rows ?? lost ?? [];
  const seq = Number(seqText);
  const common = { key: keyOf(epoch, seq), epoch, seq };
  if (rows) {
    const [firstN, nextN, bytes] = rows.slice(3, 6).map(Number) as [number, number, number];
    const digest = rows[8] === "x" ? null : (rows[8] as string);
    return {
      ...common,
      through: seq,
      firstN,
      nextN,
      bytes,
      rows: { cutAt: numberOf(rows[6]), release: numberOf(rows[7]), digest },
    };
  }
  if (!lost) return undefined;
  const [through, firstN, nextN, bytes] = lost.slice(3).map(Number) as [number, number, number, number];
  return { ...common, through, firstN, nextN, bytes, rows: null };
}

/** Whether an account stands for the other too: a kill came between writing it and removing what it stands for. */
function covers(account: WaitingBatch, other: WaitingBatch): boolean {
  const within = account.epoch === other.epoch && account.seq <= other.seq && other.through <= account.through;
  const wider = account.through - account.seq > other.through - other.seq;
  return account.rows === null && within && (other.rows !== null || wider);
}

/**
 * Finds what waits in a folder.
 * @param beforeDrop makes durable whatever only the batches about to be deleted still prove (their numbers).
 */
export async function openBatchQueue(options: {
  folder: string;
  ports: Pick<Ports, "storage" | "log" | "crypto">;
  account: Accountant;
  beforeDrop: (batches: readonly WaitingBatch[]) => Promise<void>;
}): Promise<OwnBatchQueue> {
  const { folder, ports, beforeDrop } = options;
  const { storage, log } = ports;
  /** Epoch by epoch, and within one in the order of numbers. */
  let waiting = new Map<string, WaitingBatch>();
  let bytes = 0;
  const calls: (() => void)[] = [];
  const path = (batch: WaitingBatch): string => `${folder}/${fileName(batch)}`;

  const found = (await storage.list(folder)).map(parseFileName).filter((batch) => batch !== undefined);
  for (const batch of found.sort(inOrder)) {
    if (found.some((other) => covers(other, batch))) await storage.remove(path(batch));
    else enter(batch);
  }

  function enter(batch: WaitingBatch): void {
    leave(batch.key);
    waiting.set(batch.key, batch);
    bytes += batch.bytes;
  }
  function leave(key: string): void {
    bytes -= waiting.get(key)?.bytes ?? 0;
    waiting.delete(key);
  }

  async function drop(keys: readonly string[]): Promise<void> {
    const going = keys.map((key) => waiting.get(key)).filter((batch) => batch !== undefined);
    if (going.length === 0) return;
    await beforeDrop(going);
    for (const batch of going) {
      await storage.remove(path(batch));
      if (waiting.get(batch.key) === batch) leave(batch.key);
    }
  }

  async function read(key: string): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const batch = waiting.get(key);
    const frame = batch && (await storage.read(path(batch)));
    if (!batch || !frame || waiting.get(key) !== batch || (await isWhole(batch, frame))) return frame;
    return replaceDamaged(batch, frame);
  }

  /** Whether the bytes are those that this device once signed: a card that forgets must not hold the log up. */
  async function isWhole({ epoch, seq }: WaitingBatch, frame: Uint8Array<ArrayBuffer>): Promise<boolean> {
    try {
      const opened = openFrame(frame);
      if (opened.epoch !== epoch || opened.seq !== seq) return false;
      if ((await ports.crypto.sha256(opened.compressed.slice())) !== opened.bodySha256) return false;
      return await ports.crypto.verify(opened.publicKey, signedHead(opened.head), opened.signature);
    } catch (error) {
      log.warn("batch_unreadable", { folder, epoch, seq, error: messageOf(error) });
      return false;
    }
  }

  /** An account by the file's name, which is all that is left to believe. */
  async function replaceDamaged(
    batch: WaitingBatch,
    frame: Uint8Array<ArrayBuffer>,
  ): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const { epoch, seq, through, firstN, nextN, rows } = batch;
    log.error("batch_damaged", { folder, epoch, seq, kept: "rejected/", told: "as missing, by number" });
    await keepRejected(batch, frame);
    const ends = new Array<number>(through - seq + 1).fill(nextN);
    const { digest = null, release = null } = rows ?? {};
    const account = await options.account({ epoch, seq }, [{ reason: "damaged", digest, release, from: firstN, ends }]);
    if (waiting.get(batch.key) !== batch) return undefined;
    const made = { key: batch.key, epoch, seq, through, firstN, nextN, bytes: account.length, rows: null };
    await storage.write(path(made), account);
    // In its place, so that the order stays.
    waiting.set(batch.key, made);
    bytes += made.bytes - batch.bytes;
    if (path(made) !== path(batch)) await storage.remove(path(batch));
    return account;
  }

  async function keepRejected(batch: WaitingBatch, frame: Uint8Array): Promise<void> {
    const rejected = `${folder}/rejected`;
    await storage.write(`${rejected}/${fileName(batch)}`, frame);
    const kept = await storage.list(rejected);
    for (const name of kept.slice(0, Math.max(0, kept.length - maxRejected))) {
      await storage.remove(`${rejected}/${name}`);
    }
  }

  /** What an account on the disk says; undefined where it is damaged. */
  async function missingOf(account: WaitingBatch): Promise<readonly MissingRun[] | undefined> {
    const frame = await storage.read(path(account));
    return frame && (await isWhole(account, frame))
      ? decodeBatch(openFrame(frame).compressed).header.missing
      : undefined;
  }

  return {
    get size() {
      return waiting.size;
    },
    get bytes() {
      return bytes;
    },
    get waiting() {
      return waiting.values();
    },
    get: (key) => waiting.get(key),
    read,
    drop,
    async reject(key, why) {
      const batch = waiting.get(key);
      const frame = batch && (await storage.read(path(batch)));
      if (!batch || !frame) return;
      log.error("batch_rejected", { ...batch, why, kept: `${folder}/rejected/${fileName(batch)}` });
      await keepRejected(batch, frame);
      await drop([key]);
    },
    onAdded: (call) => void calls.push(call),
    async add(given, frame) {
      const batch = { ...given, key: keyOf(given.epoch, given.seq), bytes: frame.length };
      await storage.write(path(batch), frame);
      enter(batch);
      for (const call of calls) call();
    },
    async giveUp(key, reason) {
      const batch = waiting.get(key);
      if (!batch?.rows) return;
      const all = [...waiting.values()];
      const at = all.indexOf(batch);
      const { digest, release } = batch.rows;
      let missing: MissingRun[] = [{ reason, digest, release, from: batch.firstN, ends: [batch.nextN] }];
      const parts = [batch];
      for (const [beside, put] of [[all[at - 1], "before"] as const, [all[at + 1], "after"] as const]) {
        if (!beside || beside.rows) continue;
        const [left, right] = put === "before" ? [beside, batch] : [batch, beside];
        const follows = left.epoch === right.epoch && left.through + 1 === right.seq && left.nextN === right.firstN;
        const said = follows ? await missingOf(beside) : undefined;
        if (!said) continue;
        const both = joined(put === "before" ? [...said, ...missing] : [...missing, ...said]);
        const settled = both.reduce((sum, run) => sum + run.ends.length, 0);
        if (settled > maxSettled || both.length > maxRuns) continue;
        missing = both;
        if (put === "before") parts.unshift(beside);
        else parts.push(beside);
      }
      const first = parts[0] as WaitingBatch;
      const last = parts.at(-1) as WaitingBatch;
      const { epoch, seq, firstN } = first;
      const frame = await options.account({ epoch, seq }, missing);
      // What was acknowledged meanwhile needs no account; what was not still waits.
      if (parts.some((part) => waiting.get(part.key) !== part)) return;
      const made = {
        key: first.key,
        epoch,
        seq,
        firstN,
        through: last.through,
        nextN: last.nextN,
        bytes: frame.length,
        rows: null,
      };
      await storage.write(path(made), frame);
      // In the place of the first, so that the order stays. What was acknowledged while it was written is told again, which
      // counts nothing: those numbers are settled.
      const next = new Map<string, WaitingBatch>();
      for (const one of waiting.values()) {
        if (one === parts[0]) next.set(made.key, made);
        else if (!parts.includes(one)) next.set(one.key, one);
      }
      waiting = next.has(made.key) ? next : new Map([[made.key, made], ...next]);
      bytes = [...waiting.values()].reduce((sum, one) => sum + one.bytes, 0);
      for (const part of parts) if (fileName(part) !== fileName(made)) await storage.remove(path(part));
    },
  };
}

function inOrder(a: WaitingBatch, b: WaitingBatch): number {
  return a.epoch === b.epoch ? a.seq - b.seq : a.epoch < b.epoch ? -1 : 1;
}

/** Runs of one reason and version that follow each other, as one. */
function joined(runs: readonly MissingRun[]): MissingRun[] {
  const out: MissingRun[] = [];
  for (const run of runs) {
    const last = out.at(-1);
    const same = last && last.reason === run.reason && last.digest === run.digest && last.release === run.release;
    if (last && same && last.ends.at(-1) === run.from)
      out[out.length - 1] = { ...last, ends: [...last.ends, ...run.ends] };
    else out.push(run);
  }
  return out;
}
