/** Who changed what. Rows are written by the repositories, in the transaction of the change. */
import { and, asc, desc, eq, gt, lt } from "drizzle-orm";
import { record } from "./audit-chain.ts";
import type { Connection } from "./connection.ts";
import type { AuditEntry, ChainedEntry } from "./records.ts";
import { audit } from "./schema.ts";

interface AuditFilter {
  readonly actor?: string | undefined;
  /** `device.revoke`. */
  readonly action?: string | undefined;
  readonly subject?: string | undefined;
}
export interface AuditRepository {
  /** For changes outside the database, such as a key file: every other change writes its entry with itself. */
  append(entry: AuditEntry): Promise<void>;
  /** The newest first. @param before only entries with a smaller id. */
  latest(limit: number, filter?: AuditFilter & { readonly before?: number | undefined }): Promise<ChainedEntry[]>;
  /** In the order of the chain. @param after only entries with a greater id. */
  inOrder(after: number, limit: number): Promise<ChainedEntry[]>;
}

export function auditRepository(db: Connection): AuditRepository {
  return {
    async append(entry) {
      db.transaction((tx) => record(tx, entry));
    },
    async latest(limit, { actor, action, subject, before } = {}) {
      const wanted = and(
        ...(actor === undefined ? [] : [eq(audit.actor, actor)]),
        ...(action === undefined ? [] : [eq(audit.action, action)]),
        ...(subject === undefined ? [] : [eq(audit.subject, subject)]),
        ...(before === undefined ? [] : [lt(audit.id, before)]),
      );
      return db.select().from(audit).where(wanted).orderBy(desc(audit.id)).limit(limit).all();
    },
    async inOrder(after, limit) {
      return db.select().from(audit).where(gt(audit.id, after)).orderBy(asc(audit.id)).limit(limit).all();
    },
  };
}
