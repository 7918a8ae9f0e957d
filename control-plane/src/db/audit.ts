/** Who changed what, newest first. Rows are written by the repositories, in the transaction of the change. */
import { desc } from "drizzle-orm";
import type { Connection } from "./connection.ts";
import type { AuditEntry } from "./records.ts";
import { audit } from "./schema.ts";

export interface AuditRepository {
  latest(limit: number): Promise<AuditEntry[]>;
}

export function auditRepository(db: Connection): AuditRepository {
  return {
    async latest(limit) {
      const rows = db.select().from(audit).orderBy(desc(audit.id)).limit(limit).all();
      return rows.map(({ id: _id, ...entry }) => entry);
    },
  };
}
