/** Models served elsewhere, the events that came of them, and their batches until the prediction log has them. */
import { VedetteError } from "@vedette/protocol/errors";
import { and, asc, count, eq, inArray, isNotNull, isNull, lt, lte, or, sql } from "drizzle-orm";
import { record } from "./audit-chain.ts";
import type { Connection } from "./connection.ts";
import type { AuditEntry, RequestHalf, ResponseHalf, WatchEventRecord, WatchRecord } from "./records.ts";
import { watchEvents, watches, watchFrames } from "./watches-schema.ts";

/** An event, or one half of it. */
export interface ReceivedHalves {
  readonly id: string;
  readonly request?: RequestHalf;
  readonly response?: ResponseHalf;
}
/** What a batch changes of its watch. */
interface WatchProgress {
  readonly window: Uint8Array | null;
  readonly drift: WatchRecord["drift"];
  /** Predictions of the batch. */
  readonly predictions: number;
}
export interface WatchRepository {
  list(): Promise<WatchRecord[]>;
  /** @throws VedetteError conflict where the model is watched already. */
  add(
    watch: Pick<WatchRecord, "model" | "digest" | "release" | "spec" | "reference">,
    entry: AuditEntry,
  ): Promise<void>;
  /** Answers whether there was one. Ids of its events stay known. */
  remove(model: string, entry: AuditEntry): Promise<boolean>;
  /** Durable when it resolves. Answers how many were new; what is known by its id already is left as it is. */
  receive(
    model: string,
    events: readonly ReceivedHalves[],
    refused: { count: number; why: string | null },
    at: number,
  ): Promise<number>;
  /**
   * Events that are whole, or came before a moment, in the order in which they came: as many as there may be of them and as
   * fit their bytes, one at least.
   */
  ready(model: string, before: number, most: { events: number; bytes: number }): Promise<WatchEventRecord[]>;
  /** Puts events into batches: all or nothing. */
  cut(
    model: string,
    events: readonly number[],
    frames: readonly Uint8Array[],
    progress: WatchProgress,
    at: number,
  ): Promise<void>;
  /** Batches that the log does not have yet, in their order. */
  frames(limit: number): Promise<{ id: number; model: string; frame: Uint8Array<ArrayBuffer> }[]>;
  taken(id: number, at: number): Promise<void>;
  /** All batches that are still here are sent again. */
  sendAgain(): Promise<void>;
  /** Events that are in no batch yet, by model. */
  waiting(): Promise<ReadonlyMap<string, number>>;
  /** Drops ids and batches that were done before. */
  prune(events: number, frames: number): Promise<void>;
}

export function watchRepository(db: Connection): WatchRepository {
  return {
    async list() {
      return db.select().from(watches).orderBy(asc(watches.model)).all();
    },
    async add({ reference, ...watch }, entry) {
      db.transaction((tx) => {
        const row = { ...watch, reference: Buffer.from(reference), createdAt: entry.at, createdBy: entry.actor };
        if (tx.insert(watches).values(row).onConflictDoNothing().run().changes === 0) {
          const why = `${watch.model} is watched already: vedette watch remove first, to watch it by other data`;
          throw new VedetteError("conflict", why);
        }
        record(tx, entry);
      });
    },
    async remove(model, entry) {
      return db.transaction((tx) => {
        if (tx.delete(watches).where(eq(watches.model, model)).run().changes === 0) return false;
        const rest = and(eq(watchEvents.model, model), isNull(watchEvents.doneAt));
        tx.update(watchEvents).set({ doneAt: entry.at, request: null, response: null }).where(rest).run();
        record(tx, entry);
        return true;
      });
    },
    async receive(model, events, refused, at) {
      return db.transaction((tx) => {
        let accepted = 0;
        for (const { id, request = null, response = null } of events) {
          const added = tx.insert(watchEvents).values({ model, id, at, request, response }).onConflictDoNothing().run();
          if (added.changes === 1) {
            accepted++;
            continue;
          }
          const open = and(eq(watchEvents.model, model), eq(watchEvents.id, id), isNull(watchEvents.doneAt));
          const other =
            request !== null && response === null
              ? tx
                  .update(watchEvents)
                  .set({ request })
                  .where(and(open, isNull(watchEvents.request)))
              : tx
                  .update(watchEvents)
                  .set({ response })
                  .where(and(open, isNull(watchEvents.response)));
          accepted += other.run().changes;
        }
        if (refused.count > 0) {
          const set = { refused: sql`${watches.refused} + ${refused.count}`, lastRefusal: refused.why };
          tx.update(watches).set(set).where(eq(watches.model, model)).run();
        }
        return accepted;
      });
    },
    async ready(model, before, most) {
      const { seq, id, at, request, response } = watchEvents;
      const size = sql<number>`coalesce(octet_length(${request}), 0) + coalesce(octet_length(${response}), 0)`;
      const whole = and(isNotNull(request), isNotNull(response));
      const sizes = db
        .select({ seq, size })
        .from(watchEvents)
        .where(and(eq(watchEvents.model, model), isNull(watchEvents.doneAt), or(whole, lte(at, before))))
        .orderBy(asc(seq))
        .limit(most.events)
        .all();
      let bytes = 0;
      const fitting = sizes.filter((event, place) => {
        bytes += event.size;
        return bytes <= most.bytes || place === 0;
      });
      const chosen = inArray(
        seq,
        fitting.map((event) => event.seq),
      );
      return db.select({ seq, id, at, request, response }).from(watchEvents).where(chosen).orderBy(asc(seq)).all();
    },
    async cut(model, events, frames, progress, at) {
      db.transaction((tx) => {
        for (const frame of frames)
          tx.insert(watchFrames)
            .values({ model, frame: Buffer.from(frame) })
            .run();
        const done = { doneAt: at, request: null, response: null };
        tx.update(watchEvents)
          .set(done)
          .where(inArray(watchEvents.seq, [...events]))
          .run();
        const set = {
          window: progress.window && Buffer.from(progress.window),
          drift: progress.drift,
          predictions: sql`${watches.predictions} + ${progress.predictions}`,
          lastAt: at,
        };
        tx.update(watches).set(set).where(eq(watches.model, model)).run();
      });
    },
    async frames(limit) {
      const rows = db.select().from(watchFrames).where(isNull(watchFrames.takenAt)).orderBy(asc(watchFrames.id));
      return rows
        .limit(limit)
        .all()
        .map(({ id, model, frame }) => ({ id, model, frame: Uint8Array.from(frame) }));
    },
    async taken(id, at) {
      db.update(watchFrames).set({ takenAt: at }).where(eq(watchFrames.id, id)).run();
    },
    async sendAgain() {
      db.update(watchFrames).set({ takenAt: null }).where(isNotNull(watchFrames.takenAt)).run();
    },
    async waiting() {
      const rows = db
        .select({ model: watchEvents.model, n: count() })
        .from(watchEvents)
        .where(isNull(watchEvents.doneAt))
        .groupBy(watchEvents.model)
        .all();
      return new Map(rows.map(({ model, n }) => [model, n]));
    },
    async prune(events, frames) {
      db.delete(watchEvents).where(lt(watchEvents.doneAt, events)).run();
      db.delete(watchFrames).where(lt(watchFrames.takenAt, frames)).run();
    },
  };
}
