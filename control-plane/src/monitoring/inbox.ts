/**
 * Stores prediction batches exactly once, many in one commit, and says what is stored. Synchronous: it runs in the inbox
 * thread (`inbox-worker.ts`), and the commit has happened when `take` returns.
 */
import { createHash } from "node:crypto";
import { type ErrorCode, messageOf, VedetteError } from "@vedette/protocol/errors";
import { formatPredictionId } from "@vedette/protocol/ids";
import { isWithheld } from "@vedette/protocol/log-policy";
import type { Ack, HelloAnswer } from "@vedette/protocol/messages";
import type { BatchHeader, FrameName } from "@vedette/protocol/prediction-batch";
import type { MissingCount, WithheldCount } from "../ports.ts";
import { columnNames } from "./column-names.ts";
import { checkFrame } from "./frame-check.ts";
import { type Held, holes, type MissingRows, type SpoolRow } from "./holes.ts";
import { openTables } from "./inbox-tables.ts";
import { numberRanges } from "./number-ranges.ts";

export interface InboxFrame {
  readonly agent: string;
  readonly stream: string;
  readonly frame: Uint8Array<ArrayBuffer>;
  /** Public keys of the device, hex; none where nobody knows it (any more), as after an old backup was restored. */
  readonly keys: readonly string[];
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
  /** Predictions by model whose numbers were given and which are lost, as the devices' accounts say. */
  missing(): Record<string, number>;
  account(): MissingRows;
  missingByReason(): MissingCount[];
  withheld(): WithheldCount[];
  close(): void;
}

/** Opens the inbox in a SQLite file. */
export function openInbox(path: string, limits: InboxLimits = defaultInboxLimits): Inbox {
  const db = openTables(path);
  const names = columnNames(db);
  const ranges = numberRanges(db);
  const accounts = holes(db);
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
    gap: db.prepare(
      `INSERT INTO gaps (agent, model, epoch, from_n, to_n, received, reason, digest, release)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    missingByReason: db.prepare<[], MissingCount>(
      `SELECT model, digest, release, reason, min(total(to_n - from_n + 1), ${Number.MAX_SAFE_INTEGER}) AS predictions
       FROM gaps GROUP BY model, digest, release, reason ORDER BY model, release, reason`,
    ),
    withhold: db.prepare(
      `INSERT INTO withheld (model, column_name, mode, n) VALUES (?, ?, ?, ?)
       ON CONFLICT DO UPDATE SET n = n + excluded.n`,
    ),
    withheld: db.prepare<[], WithheldCount>(
      "SELECT model, column_name AS column, mode, n AS predictions FROM withheld ORDER BY model, column_name, mode",
    ),
    proof: db.prepare(
      `INSERT OR IGNORE INTO proofs
         (agent, model, epoch, seq, first_n, next_n, received, head, signature, public_key, header)
       VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)`,
    ),
    // Not sum, which fails where devices lie so much that it overflows.
    missing: db.prepare<[], { model: string; n: number }>(
      "SELECT model, total(to_n - from_n + 1) AS n FROM gaps WHERE reason <> 'unanswered' GROUP BY model ORDER BY model",
    ),
    // Each end looked up by itself: both at once in one query would read all that waits.
    waiting: db.prepare<[], { n: number }>(
      "SELECT coalesce((SELECT max(id) FROM batches) - (SELECT min(id) FROM batches) + 1, 0) AS n",
    ),
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
  const refusal = ({ frame }: InboxFrame, { epoch, seq }: FrameName, why: string): Taken => {
    const ack = { epoch, reject: seq, why: why.slice(0, 300), frame: createHash("sha256").update(frame).digest("hex") };
    return { ack, refused: why };
  };
  /** Its number is settled, or it would hold its stream up. */
  const refuseSpoiled = (from: InboxFrame, name: FrameName, why: string, received: number): Taken => {
    const { epoch, seq } = name;
    const spool = spoolOf(from.agent, from.stream, epoch);
    const before = sql.key.get(spool.id, seq);
    keepAside(received, from, why);
    if (before?.refused === null || (!before && seq <= spool.up_to)) return { ack: acknowledge(spool, epoch) };
    if (!before) settle(spool, seq, createHash("sha256").update(from.frame).digest(), why);
    return refusal(from, name, why);
  };
  /** Counts what an account says is missing, and settles its batch numbers; those that are settled already stay as they are. */
  const takeAccount = (
    from: InboxFrame,
    { epoch, seq, missing }: BatchHeader,
    sha256: Buffer,
    received: number,
  ): Taken => {
    const spool = spoolOf(from.agent, from.stream, epoch);
    const parts = missing.flatMap(({ reason, digest, release, from: first, ends }) =>
      ends.map((end, i) => ({ reason, digest, release, firstN: i === 0 ? first : (ends[i - 1] as number), end })),
    );
    const open = parts
      .map((part, i) => ({ ...part, seq: seq + i, count: part.end - part.firstN }))
      .filter((part) => part.seq > spool.up_to && !sql.key.get(spool.id, part.seq));
    const why = open.map((part) => ranges.conflict(spool, part)).find((conflict) => conflict !== undefined);
    if (why !== undefined) {
      keepAside(received, from, why);
      for (const part of open) settle(spool, part.seq, sha256, why);
      return refusal(from, { epoch, seq }, why);
    }
    for (const part of open) {
      const { reason, digest, release, firstN, end, count } = part;
      settle(spool, part.seq, sha256, null);
      ranges.add(spool, part);
      if (count > 0) sql.gap.run(from.agent, from.stream, epoch, firstN, end - 1, received, reason, digest, release);
    }
    accounts.explain(spool, received);
    ranges.forget(spool);
    return { ack: acknowledge(spool, epoch) };
  };
  const countWithheld = ({ stream, agent, epoch, firstN, count, withheld }: BatchHeader) => {
    for (const [column, rule] of Object.entries(withheld)) {
      if (rule.mode === "full") continue;
      let n = count;
      if (rule.mode === "sampled") {
        n = 0;
        for (let i = 0; i < count; i++) {
          const id = formatPredictionId({ agent, stream, epoch, n: firstN + i });
          if (isWithheld(withheld, column, id)) n++;
        }
      }
      sql.withhold.run(stream, column, rule.mode, n);
    }
  };

  const takeOne = (from: InboxFrame, received: number): Taken => {
    // Refused now, its batches would be lost when it is known again.
    if (from.keys.length === 0) return { ack: { pause: limits.pauseMs } };
    const checked = checkFrame(from.agent, from.stream, from.frame, from.keys);
    if (checked.kind === "unsigned" || checked.kind === "damaged") {
      const { name, error } = checked;
      keepAside(received, from, error.message);
      // Its number stays free: neither who forges a batch nor a damage on the way keeps the device's own out. A device
      // follows the refusal of its very bytes only, and looks for damage on its own disk before it sends.
      return name ? refusal(from, name, error.message) : { error: { code: error.code, message: error.message } };
    }
    if (checked.kind === "spoiled") return refuseSpoiled(from, checked.name, checked.error.message, received);
    const header = checked.kind === "good" ? checked.batch.header : checked.header;
    const { epoch, seq } = header;
    const reject = (why: string): Taken => refusal(from, { epoch, seq }, why);
    if (checked.kind === "refused" && !checked.own) {
      keepAside(received, from, checked.why);
      return reject(checked.why);
    }
    const sha256 = createHash("sha256").update(from.frame).digest();
    if (checked.kind === "good" && header.missing.length > 0) return takeAccount(from, header, sha256, received);
    const spool = spoolOf(from.agent, from.stream, epoch);
    const before = sql.key.get(spool.id, seq);
    if (before && before.refused !== null) return reject(before.refused);
    if (before && !before.sha256.equals(sha256)) {
      const why = `batch ${seq} is stored already, with other bytes`;
      keepAside(received, from, why);
      return reject(why);
    }
    if (before || seq <= spool.up_to) return { ack: acknowledge(spool, epoch) };

    const why = checked.kind === "refused" ? checked.why : ranges.conflict(spool, header);
    if (why === undefined) names.assign(header);
    // A refused number is settled too: the device drops that batch, and `upTo` must get past it.
    settle(spool, seq, sha256, why ?? null);
    if (why !== undefined || checked.kind !== "good") {
      keepAside(received, from, why ?? "");
      return reject(why ?? "");
    }
    ranges.add(spool, header);
    accounts.explain(spool, received);
    ranges.forget(spool);
    sql.batch.run(from.stream, received, from.frame);
    countWithheld(header);
    if (header.receipts) {
      const { proof } = checked;
      const { firstN, count } = header;
      const of = [from.agent, from.stream, epoch, seq, firstN, firstN + count, received];
      sql.proof.run(...of, proof.head, proof.signature, proof.publicKey, proof.header);
    }
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
      accounts.pass(known, held, received);
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
    account: () => accounts.account(),
    missingByReason: () => sql.missingByReason.all(),
    withheld: () => sql.withheld.all(),
    close: () => void db.close(),
  };
}
