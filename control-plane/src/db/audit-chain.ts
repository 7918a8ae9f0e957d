/**
 * The audit as a chain: each entry has the hash of itself and the entry before it, so that no entry is changed, dropped or
 * slipped in without every later hash saying so. Whoever notes the last hash elsewhere can also tell a chain made anew.
 */
import { firstAuditHash } from "@vedette/protocol/audit";
import { asc, desc, eq, gte } from "drizzle-orm";
import { auditHash } from "../audit-hash.ts";
import type { Connection } from "./connection.ts";
import type { AuditEntry } from "./records.ts";
import { audit } from "./schema.ts";

/** Appends an entry, in the transaction of the change that it records. */
export function record(db: Connection, entry: AuditEntry): void {
  const last = db.select({ hash: audit.hash }).from(audit).orderBy(desc(audit.id)).limit(1).get();
  db.insert(audit)
    .values({ ...entry, hash: auditHash(last?.hash ?? firstAuditHash, entry) })
    .run();
}

/** Links entries that were written before there was a chain. What is linked already is left as it is, right or wrong. */
export function linkOlder(db: Connection): void {
  const first = db.select({ id: audit.id }).from(audit).where(eq(audit.hash, "")).orderBy(asc(audit.id)).limit(1).get();
  // A chain whose beginning lost its hashes was tampered with: it is not made good here.
  if (
    !first ||
    db
      .select()
      .from(audit)
      .where(eq(audit.id, first.id - 1))
      .get()
  )
    return;
  let previous = firstAuditHash;
  for (const { id, hash, ...entry } of db
    .select()
    .from(audit)
    .where(gte(audit.id, first.id))
    .orderBy(asc(audit.id))
    .all()) {
    if (hash !== "") return;
    previous = auditHash(previous, entry);
    db.update(audit).set({ hash: previous }).where(eq(audit.id, id)).run();
  }
}
