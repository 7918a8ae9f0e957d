/** Signed TUF metadata, byte for byte as it is served. */
import { VedetteError } from "@vedette/protocol/errors";
import { and, asc, eq, inArray, lt, max } from "drizzle-orm";
import { record } from "./audit-chain.ts";
import type { Connection } from "./connection.ts";
import type { AuditEntry, MetadataRecord } from "./records.ts";
import { metadata } from "./schema.ts";

export interface MetadataRepository {
  find(role: string, version: number): Promise<MetadataRecord | undefined>;
  /** The highest version of every role. */
  latest(): Promise<MetadataRecord[]>;
  /** All or none. @throws VedetteError conflict where a version is taken. */
  insert(rows: readonly MetadataRecord[], entry: AuditEntry): Promise<void>;
  /** Drops what no reader asks for any more: versions of a role below one. */
  prune(role: string, below: number): Promise<void>;
}

/** Writes metadata in the caller's transaction. @throws VedetteError conflict where a version is taken. */
export function insertMetadata(db: Connection, rows: readonly MetadataRecord[]): void {
  for (const row of rows) {
    if (db.insert(metadata).values(row).onConflictDoNothing().run().changes === 1) continue;
    throw new VedetteError(
      "conflict",
      `version ${row.version} of the ${row.role} metadata is already there: sign anew`,
    );
  }
}

export function metadataRepository(db: Connection): MetadataRepository {
  return {
    async find(role, version) {
      return db
        .select()
        .from(metadata)
        .where(and(eq(metadata.role, role), eq(metadata.version, version)))
        .get();
    },
    async latest() {
      const newest = db.select({ role: metadata.role, version: max(metadata.version) }).from(metadata);
      const heads = newest.groupBy(metadata.role).orderBy(asc(metadata.role)).all();
      return heads.flatMap(({ role, version }) =>
        db
          .select()
          .from(metadata)
          .where(and(eq(metadata.role, role), eq(metadata.version, version ?? 0)))
          .all(),
      );
    },
    async insert(rows, entry) {
      db.transaction((tx) => {
        insertMetadata(tx, rows);
        record(tx, entry);
      });
    },
    async prune(role, below) {
      // Only what is made online may go: root is read version by version by devices that were away for long.
      db.delete(metadata)
        .where(
          and(inArray(metadata.role, ["timestamp", "snapshot"]), eq(metadata.role, role), lt(metadata.version, below)),
        )
        .run();
    },
  };
}
