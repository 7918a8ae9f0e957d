/** The tables of hands-free release. */
import type { RolloutPolicy } from "@vedette/protocol/rollout";
import type { SignedText } from "@vedette/protocol/signed";
import { sql } from "drizzle-orm";
import { index, integer, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import type { ModelSignatureRecord } from "./records.ts";

export const releaseOutcomes = ["released", "superseded", "withdrawn"] as const;

/** Versions that were proposed without a signature of the project's; open while `outcome` is null, one a model. */
export const releases = sqliteTable(
  "releases",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    model: text().notNull(),
    digest: text().notNull(),
    manifest: text().notNull(),
    modelSignature: text({ mode: "json" }).$type<ModelSignatureRecord>(),
    /** As it was signed by who proposed it. */
    proposal: text({ mode: "json" }).$type<SignedText>().notNull(),
    createdAt: integer().notNull(),
    createdBy: text().notNull(),
    /** The role's metadata with fewer signatures than it takes. */
    draft: text(),
    /** What a signer said against it last. */
    refusal: text(),
    outcome: text({ enum: releaseOutcomes }),
    version: integer(),
    why: text(),
    decidedAt: integer(),
    decidedBy: text(),
    /** What began by itself afterwards, and why nothing has. */
    rollout: integer(),
    rolloutWhy: text(),
    /** Nothing is to begin for it any more: it has, or a newer version took its place. */
    rolloutSettled: integer({ mode: "boolean" }).notNull().default(false),
  },
  (table) => [
    uniqueIndex("releases_open").on(table.model).where(sql`outcome IS NULL`),
    index("releases_by_digest").on(table.digest),
  ],
);

/** What a model's releases do by themselves, and whether an operator stopped them. */
export const handsFree = sqliteTable("hands_free", {
  model: text().primaryKey(),
  policy: text({ mode: "json" }).$type<RolloutPolicy>(),
  frozen: integer({ mode: "boolean" }).notNull(),
  reason: text(),
  at: integer().notNull(),
  by: text().notNull(),
});
