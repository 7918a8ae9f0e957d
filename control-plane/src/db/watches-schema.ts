/** The tables of what is watched elsewhere. Conventions and command: schema.ts. */
import type { Watch, WatchSpec } from "@vedette/protocol/watch-api";
import { sql } from "drizzle-orm";
import { blob, index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { RequestHalf, ResponseHalf } from "./records.ts";

/** Models that are served elsewhere, and watched here. */
export const watches = sqliteTable("watches", {
  model: text().primaryKey(),
  /** The published version that it is watched as; null where it is by reference data. */
  digest: text(),
  release: integer(),
  spec: text({ mode: "json" }).$type<WatchSpec>().notNull(),
  reference: blob({ mode: "buffer" }).notNull(),
  createdAt: integer().notNull(),
  createdBy: text().notNull(),
  /** The drift window under way; null before the first row. */
  window: blob({ mode: "buffer" }),
  /** Of the last full window. */
  drift: text({ mode: "json" }).$type<Watch["drift"]>(),
  predictions: integer().notNull().default(0),
  lastAt: integer(),
  refused: integer().notNull().default(0),
  lastRefusal: text(),
});

/** Events by id: halves that wait for each other, then for their batch; then the id alone, so that none counts twice. */
export const watchEvents = sqliteTable(
  "watch_events",
  {
    seq: integer().primaryKey({ autoIncrement: true }),
    model: text().notNull(),
    id: text().notNull(),
    at: integer().notNull(),
    request: text({ mode: "json" }).$type<RequestHalf>(),
    response: text({ mode: "json" }).$type<ResponseHalf>(),
    /** When it became part of a batch. */
    doneAt: integer(),
  },
  (table) => [
    uniqueIndex("watch_events_by_id").on(table.model, table.id),
    index("watch_events_open").on(table.model, table.at).where(sql`done_at IS NULL`),
    index("watch_events_done").on(table.doneAt),
  ],
);

/** Batches of watched predictions on their way to the prediction log. */
export const watchFrames = sqliteTable("watch_frames", {
  id: integer().primaryKey({ autoIncrement: true }),
  model: text().notNull(),
  frame: blob({ mode: "buffer" }).notNull(),
  /** When the log had it; kept for a while, as a backup may hold an older log. */
  takenAt: integer(),
});
