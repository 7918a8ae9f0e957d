/**
 * Stores prediction batches exactly once, many in one commit, and says what is stored. Synchronous: it runs in the inbox
 * thread (`inbox-worker.ts`), and the commit has happened when `take` returns.
 */
import { createHash } from "node:crypto";
import { type ErrorCode, messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Ack, HelloAnswer } from "@vedette/protocol/messages";
import type { FrameName } from "@vedette/protocol/prediction-batch";
import { columnNames } from "./column-names.ts";
import { checkFrame } from "./frame-check.ts";
import { type Held, holes, type MissingRows, type SpoolRow } from "./holes.ts";
import { openTables } from "./inbox-tables.ts";
import { numberRanges } from "./number-ranges.ts";

export interface InboxFrame {
  readonly agent: string;
  readonly stream: string;
  readonly frame: Uint8Array<ArrayBuffer>;
}
/** `error`: the frame does not even say which batch it is, so that no acknowledgement can name it. */
export type Taken = { ack: Ack; refused?: string } | { error: { code: ErrorCode; message: string } };

export interface InboxLimits {
  /** Batches that may wait to become Parquet before devices are asked to pause. */
  readonly waiting: number;
  /** What a device is asked to wait, ms. */
  readonly pauseMs: number;
  /** Refused frames kept for inspection; the oldest go. */
  readonly refusedKept: number;
}
export const defaultInboxLimits: InboxLimits = { waiting: 20_000, pauseMs: 15_000, refusedKept: 200 };

/** Acknowledged keys remembered with their hash below `upTo`; older repeats are taken for the same bytes. */
const rememberedKeys = 1024;
/** Most numbers in an acknowledgement's `also`. */
const maxSparse = 256;

export interface Inbox {
  /** Judges and stores frames in one commit. `received`: UTC ms. @throws the database's error, and then nothing is stored. */
  take(frames: readonly InboxFrame[], received: number): Taken[];
  /**
   * What is stored of a device's spools. Batches that neither the device nor this inbox has are passed over, and their
   * predictions counted as missing. `received`: UTC ms.
   */
  stored(
    agent: string,
    streams: readonly { stream: string; epoch: string; held?: Held | undefined }[],
    received: number,
  ): HelloAnswer["stored"];
  /** Predictions by model whose numbers were given and which are lost, as the batches after them say. */
  missing(): Record<string, number>;
  account(): MissingRows;
  close(): void;
}

/** Opens the inbox in a SQLite file. */
export function openInbox(path: string, limits: InboxLimits = defaultInboxLimits): Inbox {
  const db = openTables(path);
  const names = columnNames(db);
  const ranges = numberRanges(db);
  const missing = holes(db);
  const sql = {
    spool: db.prepare<[string, string, string], SpoolRow>(
      "SELECT id, agent, stream, epoch, up_to, told_n, told_seq FROM spools WHERE agent = ? AND stream = ? AND epoch = ?",
    ),
    newSpool: db.prepare("INSERT INTO spools (agent, stream, epoch) VALUES (?, ?, ?)"),
    advance: db.prepare("UPDATE spools SET up_to = ? WHERE id = ?"),
    key: db.prepare<[number, number], { sha256: Buffer; refused: string | null }>(
      "SELECT sha256, refused FROM keys WHERE spool = ? AND seq = ?",
    ),
    newKey: db.prepare("INSERT INTO keys (spool, seq, sha256, refused) VALUES (?, ?, ?, ?)"),
    sparse: db.prepare<[number, number], { seq: number }>(
      `SELECT seq FROM keys WHERE spool = ? AND seq > ? AND refused IS NULL ORDER BY seq DESC LIMIT ${maxSparse}`,
    ),
    forgetKeys: db.prepare("DELETE FROM keys WHERE spool = ? AND seq < ?"),
    batch: db.prepare("INSERT INTO batches (model, received, frame) VALUES (?, ?, ?)"),
    gap: db.prepare("INSERT INTO gaps (agent, model, epoch, from_n, to_n, received) VALUES (?, ?, ?, ?, ?, ?)"),
    // Not sum, which fails where devices lie so much that it overflows.
    missing: db.prepare<[], { model: string; n: number }>(
      "SELECT model, total(to_n - from_n + 1) AS n FROM gaps GROUP BY model ORDER BY model",
    ),
    waiting: db.prepare<[], { n: number }>("SELECT coalesce(max(id) - min(id) + 1, 0) AS n FROM batches"),
    refuse: db.prepare("INSERT INTO refused_frames (at, agent, stream, why, frame) VALUES (?, ?, ?, ?, ?)"),
    forgetRefused: db.prepare("DELETE FROM refused_frames WHERE id <= (SELECT max(id) FROM refused_frames) - ?"),
  };

  const spoolOf = (agent: string, stream: string, epoch: string): SpoolRow =>
    sql.spool.get(agent, stream, epoch) ?? {
      ...{ agent, stream, epoch, up_to: -1, told_n: 0, told_seq: -1 },
      id: Number(sql.newSpool.run(agent, stream, epoch).lastInsertRowid),
    };
  const keepAside = (at: number, from: InboxFrame, why: string) => {
    sql.refuse.run(at, from.agent, from.stream, why, from.frame);
    sql.forgetRefused.run(limits.refusedKept);
  };
  const settle = (spool: { id: number; up_to: number }, seq: number, sha256: Buffer, refused: string | null) => {
    sql.newKey.run(spool.id, seq, sha256, refused);
    if (seq !== spool.up_to + 1) return;
    while (sql.key.get(spool.id, spool.up_to + 1)) spool.up_to++;
    sql.advance.run(spool.up_to, spool.id);
    sql.forgetKeys.run(spool.id, spool.up_to - rememberedKeys);
  };
  const acknowledge = (spool: { id: number; up_to: number }, epoch: string): Ack => ({
    epoch,
    upTo: spool.up_to,
    also: sql.sparse
      .all(spool.id, spool.up_to)
      .map((row) => row.seq)
      .reverse(),
  });
  /** What cannot be unpacked will be no better when it comes again: its number is settled, or it would hold its stream up. */
  const refuseDamaged = (from: InboxFrame, { epoch, seq }: FrameName, why: string, received: number): Taken => {
    const spool = spoolOf(from.agent, from.stream, epoch);
    const before = sql.key.get(spool.id, seq);
    keepAside(received, from, why);
    if (before?.refused === null || (!before && seq <= spool.up_to)) return { ack: acknowledge(spool, epoch) };
    if (!before) settle(spool, seq, createHash("sha256").update(from.frame).digest(), why);
    return { ack: { epoch, reject: seq, why: why.slice(0, 300) }, refused: why };
  };

  const takeOne = (from: InboxFrame, received: number): Taken => {
    const checked = checkFrame(from.agent, from.stream, from.frame);
    if (checked.kind === "unreadable") {
      if (checked.name) return refuseDamaged(from, checked.name, checked.error.message, received);
      keepAside(received, from, checked.error.message);
      return { error: { code: checked.error.code, message: checked.error.message } };
    }
    const header = checked.kind === "good" ? checked.batch.header : checked.header;
    const { epoch, seq } = header;
    const reject = (why: string): Taken => ({ ack: { epoch, reject: seq, why: why.slice(0, 300) }, refused: why });
    if (checked.kind === "refused" && !checked.own) {
      keepAside(received, from, checked.why);
      return reject(checked.why);
    }
    const spool = spoolOf(from.agent, from.stream, epoch);
    const sha256 = createHash("sha256").update(from.frame).digest();
    const before = sql.key.get(spool.id, seq);
    if (before && before.refused !== null) return reject(before.refused);
    if (before && !before.sha256.equals(sha256)) {
      const why = `batch ${seq} is stored already, with other bytes`;
      keepAside(received, from, why);
      return reject(why);
    }
    if (before || seq <= spool.up_to) return { ack: acknowledge(spool, epoch) };

    const { gap } = header;
    const why = checked.kind === "refused" ? checked.why : ranges.conflict(spool, header);
    if (why === undefined) names.assign(header);
    // A refused number is settled too: the device drops that batch, and `upTo` must get past it.
    settle(spool, seq, sha256, why ?? null);
    if (why !== undefined) {
      keepAside(received, from, why);
      return reject(why);
    }
    if (gap) sql.gap.run(from.agent, from.stream, epoch, gap.from, gap.to, received);
    ranges.add(spool, header);
    missing.explain(spool, received);
    ranges.forget(spool);
    sql.batch.run(from.stream, received, from.frame);
    return { ack: acknowledge(spool, epoch) };
  };

  const takeAll = db.transaction((frames: readonly InboxFrame[], received: number) =>
    frames.map((from) => takeOne(from, received)),
  );

  const storedOf = db.transaction(
    (
      agent: string,
      { stream, epoch, held }: { stream: string; epoch: string; held?: Held | undefined },
      received: number,
    ) => {
      const spool = sql.spool.get(agent, stream, epoch);
      if (!held || (!spool && held.seq === 0 && !held.n)) return { stream, epoch, upTo: spool?.up_to ?? -1 };
      const known = spool ?? spoolOf(agent, stream, epoch);
      missing.pass(known, held, received);
      ranges.forget(known);
      sql.forgetKeys.run(known.id, known.up_to - rememberedKeys);
      return { stream, epoch, upTo: known.up_to };
    },
  );

  return {
    take(frames, received) {
      if ((sql.waiting.get()?.n ?? 0) >= limits.waiting) {
        return frames.map(() => ({ ack: { pause: limits.pauseMs } }));
      }
      try {
        return takeAll.immediate(frames, received);
      } catch (error) {
        names.forget();
        throw new VedetteError("storage_failed", `the inbox could not store batches: ${messageOf(error)}`, {
          cause: error,
        });
      }
    },
    stored: (agent, streams, received) => streams.map((stream) => storedOf.immediate(agent, stream, received)),
    missing: () =>
      Object.fromEntries(sql.missing.all().map(({ model, n }) => [model, Math.min(n, Number.MAX_SAFE_INTEGER)])),
    account: () => missing.account(),
    close: () => void db.close(),
  };
}
