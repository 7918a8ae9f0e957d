/**
 * The tables; those of drift, alerts and watches are in `…-schema.ts`. Times are UTC ms. Only this folder knows drizzle;
 * after a change run `npm run migrations --workspace control-plane -- --name what_changes` and commit what it writes.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import type { AgentAbilities } from "@vedette/protocol/capability";
import type { Stamp } from "@vedette/protocol/device-message";
import type { AssignedSlot, Reported } from "@vedette/protocol/messages";
import { index, integer, primaryKey, sqliteTable, text } from "drizzle-orm/sqlite-core";
import { type AuditEntry, type Labels, type ModelSignatureRecord, operatorRoles, type Selector } from "./records.ts";

/** Facts about this installation, such as the site it belongs to. */
export const settings = sqliteTable("settings", { key: text().primaryKey(), value: text().notNull() });

export const models = sqliteTable("models", { name: text().primaryKey(), createdAt: integer().notNull() });

/** Immutable: rows are only ever inserted. */
export const versions = sqliteTable(
  "versions",
  {
    model: text()
      .notNull()
      .references(() => models.name),
    version: integer().notNull(),
    digest: text().notNull().unique(),
    /** The very text that was hashed and signed. */
    manifest: text().notNull(),
    /** Bytes of the manifest, UTF-8. */
    length: integer().notNull(),
    /** Bytes of all files. */
    bytes: integer().notNull(),
    task: text({ enum: ["classification", "regression", "tensor"] }).notNull(),
    createdAt: integer().notNull(),
    publishedBy: text().notNull(),
    /** Of the manifest, so that deciding what a device may run reads no manifests. */
    requires: text({ mode: "json" }).$type<Manifest["requires"]>().notNull(),
    lineage: text({ mode: "json" }).$type<Manifest["lineage"]>().notNull(),
    /** OpenSSF Model Signing; null for versions published without. */
    modelSignature: text({ mode: "json" }).$type<ModelSignatureRecord>(),
  },
  (table) => [primaryKey({ columns: [table.model, table.version] })],
);

/** Signed TUF metadata, byte for byte as it is served. */
export const metadata = sqliteTable(
  "metadata",
  {
    role: text().notNull(),
    version: integer().notNull(),
    text: text().notNull(),
    createdAt: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.role, table.version] })],
);

export const tokens = sqliteTable("tokens", {
  /** sha256 of the secret, hex: the secret itself is never kept. */
  secretSha256: text().primaryKey(),
  labels: text({ mode: "json" }).$type<Labels>().notNull(),
  uses: integer().notNull(),
  used: integer().notNull(),
  expiresAt: integer().notNull(),
  createdAt: integer().notNull(),
  createdBy: text().notNull().default("operator"),
  revokedAt: integer(),
});

export const devices = sqliteTable("devices", {
  agent: text().primaryKey(),
  publicKey: text().notNull(),
  token: text()
    .notNull()
    .references(() => tokens.secretSha256),
  /** What the operator's token says. Wins over what the device says of itself. */
  tokenLabels: text({ mode: "json" }).$type<Labels>().notNull(),
  saidLabels: text({ mode: "json" }).$type<Labels>().notNull(),
  enrolledAt: integer().notNull(),
  lastSeen: integer(),
  abilities: text({ mode: "json" }).$type<AgentAbilities>(),
  report: text({ mode: "json" }).$type<Reported>(),
  /** The assignment last decided: its revision and slots. */
  rev: integer().notNull(),
  slots: text({ mode: "json" }).$type<readonly AssignedSlot[]>().notNull(),
  /** Session and number of the last message believed: an earlier one is a replay, also after a restart. */
  heard: text({ mode: "json" }).$type<Stamp>(),
  /** Null: it may log in. */
  revokedAt: integer(),
  revokedReason: text(),
});

/** Chunks that an external broker retains for us, so that those nobody needs any more are taken back. */
export const brokerBlobs = sqliteTable("broker_blobs", {
  sha256: text().primaryKey(),
  /** Assigned versions and rules that need it. */
  refs: integer().notNull(),
  /** When the last reference went; null while there is one. */
  unusedSince: integer(),
});

/** Who may ask what of the control plane. Removed operators stay, so that the audit's names mean one person each. */
export const operators = sqliteTable("operators", {
  name: text().primaryKey(),
  role: text({ enum: operatorRoles }).notNull(),
  /** sha256 of the token, hex: the token itself is never kept. Null: revoked. */
  tokenSha256: text().unique(),
  createdAt: integer().notNull(),
  createdBy: text().notNull(),
  /** When the token was made or taken away last. */
  tokenChangedAt: integer().notNull(),
  removedAt: integer(),
});

/** Standing rules: of those that match a device, the latest one of each model counts. Kept as history once superseded. */
export const assignmentRules = sqliteTable(
  "assignment_rules",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    model: text()
      .notNull()
      .references(() => models.name),
    /** Null: none. */
    version: integer(),
    selector: text({ mode: "json" }).$type<Selector>().notNull(),
    createdAt: integer().notNull(),
    createdBy: text().notNull(),
    /** The later rule that covers every device this one covers. */
    supersededBy: integer(),
  },
  (table) => [index("assignment_rules_in_force").on(table.supersededBy, table.model)],
);

/** Who changed what, written in the transaction of the change. */
export const audit = sqliteTable(
  "audit",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    at: integer().notNull(),
    actor: text().notNull(),
    action: text().notNull(),
    subject: text().notNull(),
    detail: text({ mode: "json" }).$type<AuditEntry["detail"]>().notNull(),
    /** sha256 over this entry and the hash before it; empty in a row that an older version wrote. */
    hash: text().notNull().default(""),
  },
  (table) => [index("audit_by_time").on(table.at)],
);
