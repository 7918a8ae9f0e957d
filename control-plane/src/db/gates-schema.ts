/** The tables of the gate. */
import type { SignedText } from "@vedette/protocol/signed";
import { index, integer, sqliteTable, text } from "drizzle-orm/sqlite-core";

/** What the gate found of a version, each time it looked: signed, and verified at each reading. */
export const gateReports = sqliteTable(
  "gate_reports",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    digest: text().notNull(),
    at: integer().notNull(),
    signed: text({ mode: "json" }).$type<SignedText>().notNull(),
  },
  (table) => [index("gate_reports_by_digest").on(table.digest)],
);

/** Labelled rows that came with versions, for the gate alone: their text by its sha256. */
export const gateRows = sqliteTable("gate_rows", { sha256: text().primaryKey(), text: text().notNull() });

/** By whom, why and until when a version that failed may be released all the same: signed, as the reports. */
export const gateOverrides = sqliteTable(
  "gate_overrides",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    digest: text().notNull(),
    at: integer().notNull(),
    signed: text({ mode: "json" }).$type<SignedText>().notNull(),
  },
  (table) => [index("gate_overrides_by_digest").on(table.digest)],
);
