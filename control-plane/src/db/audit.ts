/** Who changed what, newest first. Changes of this database write theirs in their own transaction. */
import { desc } from "drizzle-orm";
import { type Connection, record } from "./connection.ts";
import type { AuditEntry } from "./records.ts";
import { audit } from "./schema.ts";

export interface AuditRepository {
  /** For what changes no table of this database. */
  add(entry: AuditEntry): Promise<void>;
  latest(limit: number): Promise<AuditEntry[]>;
}

export function auditRepository(db: Connection): AuditRepository {
  return {
    async add(entry) {
      record(db, entry);
    },
    async latest(limit) {
      const rows = db.select().from(audit).orderBy(desc(audit.id)).limit(limit).all();
      return rows.map(({ id: _id, ...entry }) => entry);
    },
  };
}
