/** Who changed what. Rows are written by the repositories, in the transaction of the change. */
import { auditEntry } from "@vedette/protocol/api";
import { and, asc, desc, eq, gt, lt, sql } from "drizzle-orm";
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

/** Whatever somebody made of it: one entry that was edited must not hide all the others. */
const asStored = {
  id: sql<number>`CAST(${audit.id} AS REAL)`,
  at: sql<number>`CAST(${audit.at} AS REAL)`,
  actor: sql<string>`CAST(${audit.actor} AS TEXT)`,
  action: sql<string>`CAST(${audit.action} AS TEXT)`,
  subject: sql<string>`CAST(${audit.subject} AS TEXT)`,
  detail: sql<string>`CAST(${audit.detail} AS TEXT)`,
  hash: sql<string>`CAST(${audit.hash} AS TEXT)`,
};
/** ms from 1970; what a date can be. */
const maxTime = 8.64e15;

/** One that can be none that was written here is told as such; its hash then follows from nothing. */
function readEntry(row: Record<keyof typeof asStored, string | number>): ChainedEntry {
  const read = auditEntry.safeParse({ ...row, detail: parsedJson(`${row.detail}`) });
  if (read.success && Math.abs(read.data.at) <= maxTime) return read.data;
  const id = Number.isSafeInteger(row.id) ? Number(row.id) : 0;
  const was = JSON.stringify(row).slice(0, 1000);
  return { id, at: 0, actor: "?", action: "audit.unreadable", subject: "?", detail: { was }, hash: `${row.hash}` };
}

function parsedJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    if (error instanceof SyntaxError) return undefined;
    throw error;
  }
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
      return db.select(asStored).from(audit).where(wanted).orderBy(desc(audit.id)).limit(limit).all().map(readEntry);
    },
    async inOrder(after, limit) {
      const wanted = gt(audit.id, after);
      return db.select(asStored).from(audit).where(wanted).orderBy(asc(audit.id)).limit(limit).all().map(readEntry);
    },
  };
}
