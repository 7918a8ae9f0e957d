/** The tables of drift. Conventions and command: schema.ts. */
import type { DriftScope, DriftVerdict } from "@vedette/protocol/drift";
import type { DriftEventFeature } from "@vedette/protocol/drift-api";
import { blob, index, integer, primaryKey, real, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";

/** Windows as devices sent them: counts on the bins of a version's drift reference. */
export const driftWindows = sqliteTable(
  "drift_windows",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    agent: text().notNull(),
    model: text().notNull(),
    digest: text().notNull(),
    epoch: text().notNull(),
    n: integer().notNull(),
    /** By the device's clock. */
    fromAt: real().notNull(),
    toAt: real().notNull(),
    rows: integer().notNull(),
    snapshot: blob({ mode: "buffer" }).notNull(),
    /** The device's own word. */
    verdict: text().$type<DriftVerdict>().notNull(),
    top: text(),
    logE: real(),
    receivedAt: integer().notNull(),
    /** The round that merged it; null while it waits for one. */
    round: integer(),
  },
  (table) => [
    uniqueIndex("drift_windows_once").on(table.agent, table.model, table.digest, table.epoch, table.n),
    index("drift_windows_by_round").on(table.digest, table.round),
  ],
);

/** How far the windows of a device's state were removed for their age: these do not come again. The latest of a device. */
export const driftPruned = sqliteTable(
  "drift_pruned",
  {
    agent: text().notNull(),
    digest: text().notNull(),
    epoch: text().notNull(),
    upTo: integer().notNull(),
    at: integer().notNull().default(0),
  },
  (table) => [primaryKey({ columns: [table.agent, table.digest, table.epoch] })],
);

/** The detectors: of each device, each cohort, and the fleet, by version. */
export const driftBanks = sqliteTable(
  "drift_banks",
  {
    digest: text().notNull(),
    /** `device:<agent>`, `cohort:<label>=<value>` or `fleet`. */
    subject: text().notNull(),
    bank: blob({ mode: "buffer" }).notNull(),
    /** Rounds that it saw since it began, or began anew after an alarm. */
    steps: integer().notNull(),
    rows: integer().notNull(),
    logE: real().notNull(),
    /** By feature, in the reference's order. */
    features: text({ mode: "json" }).$type<readonly number[]>().notNull(),
    /** The last round that it saw. */
    round: integer().notNull(),
    /** What this round's rows alone say. */
    verdict: text().$type<DriftVerdict>().notNull(),
    top: text(),
  },
  (table) => [primaryKey({ columns: [table.digest, table.subject] })],
);

/** Each merge of what came since the one before. */
export const driftRounds = sqliteTable(
  "drift_rounds",
  {
    digest: text().notNull(),
    round: integer().notNull(),
    at: integer().notNull(),
    devices: integer().notNull(),
    rows: integer().notNull(),
    /** Devices that sent more than their share, and counted for that. */
    capped: integer().notNull(),
    /** All of it together. */
    snapshot: blob({ mode: "buffer" }).notNull(),
    logE: real().notNull(),
    verdict: text().$type<DriftVerdict>().notNull(),
    top: text(),
  },
  (table) => [primaryKey({ columns: [table.digest, table.round] })],
);

export const driftEvents = sqliteTable(
  "drift_events",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    model: text().notNull(),
    digest: text().notNull(),
    scope: text({ mode: "json" }).$type<DriftScope>().notNull(),
    /** The scope as `drift_banks.subject` has it. */
    subject: text().notNull(),
    verdict: text().$type<DriftVerdict>().notNull(),
    openedAt: integer().notNull(),
    raisedAt: integer().notNull(),
    /** How often its detector has alarmed, and after how many rounds it did the last time. */
    raised: integer().notNull(),
    raisedAfter: integer().notNull(),
    closedAt: integer(),
    logE: real().notNull(),
    features: text({ mode: "json" }).$type<readonly DriftEventFeature[]>().notNull(),
    agents: text({ mode: "json" }).$type<readonly string[]>().notNull(),
  },
  (table) => [index("drift_events_by_version").on(table.digest, table.closedAt)],
);

/** The windows that prove an event: kept as long as it is. */
export const driftEvidence = sqliteTable(
  "drift_evidence",
  {
    event: integer()
      .notNull()
      .references(() => driftEvents.id),
    window: integer()
      .notNull()
      .references(() => driftWindows.id),
  },
  (table) => [primaryKey({ columns: [table.event, table.window] })],
);
