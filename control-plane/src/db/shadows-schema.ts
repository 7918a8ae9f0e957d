/** The tables of what devices find where they ask two versions the same. Conventions and command: schema.ts. */
import type { PairCounts, ShadowParcel } from "@vedette/protocol/shadow";
import { index, integer, primaryKey, real, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** Pairs of versions that the director signed for a device: what it may tell of. */
export const shadowPairs = sqliteTable(
  "shadow_pairs",
  {
    agent: text().notNull(),
    model: text().notNull(),
    /** Digests: who answers, and who is asked beside it. */
    answering: text().notNull(),
    beside: text().notNull(),
    /** The first time. */
    signedAt: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.agent, table.model, table.answering, table.beside] })],
);

/** How far the parcels of a device's state were merged or removed: these do not come again. Goes with its pair. */
export const shadowPruned = sqliteTable(
  "shadow_pruned",
  {
    agent: text().notNull(),
    model: text().notNull(),
    epoch: text().notNull(),
    upTo: integer().notNull(),
    answering: text().notNull(),
    beside: text().notNull(),
  },
  (table) => [primaryKey({ columns: [table.agent, table.model, table.epoch] })],
);

/** What devices found where they asked two versions the same: in the order of arrival. */
export const shadowParcels = sqliteTable(
  "shadow_parcels",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    agent: text().notNull(),
    model: text().notNull(),
    answering: text().notNull(),
    beside: text().notNull(),
    epoch: text().notNull(),
    n: integer().notNull(),
    /** By the device's clock. */
    fromAt: real().notNull(),
    toAt: real().notNull(),
    /** Rows that both were asked. */
    rows: integer().notNull(),
    counts: text({ mode: "json" }).$type<PairCounts>().notNull(),
    disagreements: text({ mode: "json" }).$type<ShadowParcel["disagreements"]>().notNull(),
    omitted: integer().notNull(),
    receivedAt: integer().notNull(),
  },
  (table) => [
    uniqueIndex("shadow_parcels_once").on(table.agent, table.model, table.epoch, table.n),
    index("shadow_parcels_by_pair").on(table.model, table.answering, table.beside),
    index("shadow_parcels_by_agent").on(table.agent, table.model),
  ],
);
