/** The tables of alerts and their receivers. Conventions and command: schema.ts. */
import { severities } from "@vedette/protocol/alerts-api";
import { sql } from "drizzle-orm";
import { index, integer, primaryKey, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { Acknowledgement, Labels } from "./records.ts";

/** From firing to resolved: a row each time. */
export const alerts = sqliteTable(
  "alerts",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    /** What its source calls it. */
    key: text().notNull(),
    /** Of name and labels. */
    fingerprint: text().notNull(),
    name: text().notNull(),
    labels: text({ mode: "json" }).$type<Labels>().notNull(),
    annotations: text({ mode: "json" }).$type<Labels>().notNull(),
    state: text({ enum: ["firing", "resolved"] }).notNull(),
    severity: text({ enum: severities }).notNull(),
    startsAt: integer().notNull(),
    changedAt: integer().notNull(),
    quietSince: integer(),
    endsAt: integer(),
    ack: text({ mode: "json" }).$type<Acknowledgement>(),
  },
  (table) => [
    uniqueIndex("alerts_firing").on(table.fingerprint).where(sql`ends_at IS NULL`),
    index("alerts_by_end").on(table.endsAt),
  ],
);

/** Webhooks. `url` is scheme and host: whole addresses and headers are secrets, in files of their own. */
export const alertReceivers = sqliteTable("alert_receivers", {
  name: text().primaryKey(),
  url: text().notNull(),
  minSeverity: text({ enum: severities }).notNull(),
  createdAt: integer().notNull(),
  createdBy: text().notNull(),
  /** Since the last delivery; and when the first of them was. */
  failures: integer().notNull().default(0),
  failingSince: integer(),
  retryAt: integer().notNull().default(0),
  lastError: text(),
  lastDelivery: integer(),
});

/** What each receiver was told of each alert: what is not told yet is what this lacks, also after a restart. */
export const alertOutbox = sqliteTable(
  "alert_outbox",
  {
    receiver: text()
      .notNull()
      .references(() => alertReceivers.name, { onDelete: "cascade" }),
    alert: integer()
      .notNull()
      .references(() => alerts.id, { onDelete: "cascade" }),
    told: text({ enum: ["firing", "resolved"] }).notNull(),
    severity: text({ enum: severities }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.receiver, table.alert] })],
);

/** When a receiver was last sent what fires of a model, so that it is repeated in time. */
export const alertGroups = sqliteTable(
  "alert_groups",
  {
    receiver: text()
      .notNull()
      .references(() => alertReceivers.name, { onDelete: "cascade" }),
    /** A model's name; empty for what is of no model. */
    model: text().notNull(),
    sentAt: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.receiver, table.model] })],
);
