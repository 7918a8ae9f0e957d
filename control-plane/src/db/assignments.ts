/** Standing rules of who should run what. A rule that is fully covered by a later one is history. */
import { and, asc, eq, isNotNull, isNull } from "drizzle-orm";
import { record } from "./audit-chain.ts";
import type { Connection } from "./connection.ts";
import type { AuditEntry, RuleRecord, Selector } from "./records.ts";
import { assignmentRules } from "./schema.ts";

export interface AssignmentRepository {
  /** Rules in force, oldest first. */
  inForce(): Promise<RuleRecord[]>;
  /** Versions that any rule named, in force or not. */
  everNamed(): Promise<{ model: string; version: number }[]>;
  add(rule: Omit<RuleRecord, "id">, entry: AuditEntry): Promise<void>;
}

export function assignmentRepository(db: Connection): AssignmentRepository {
  return {
    async inForce() {
      return db
        .select()
        .from(assignmentRules)
        .where(isNull(assignmentRules.supersededBy))
        .orderBy(asc(assignmentRules.id))
        .all();
    },
    async everNamed() {
      const { model, version } = assignmentRules;
      const named = db.selectDistinct({ model, version }).from(assignmentRules).where(isNotNull(version)).all();
      return named.map((one) => ({ ...one, version: Number(one.version) }));
    },
    async add(rule, entry) {
      db.transaction((tx) => {
        insertRule(tx, rule, entry.actor);
        record(tx, entry);
      });
    },
  };
}

/** Makes a rule stand, in the caller's transaction: those that it covers wholly are history from then on. */
export function insertRule(tx: Connection, rule: Omit<RuleRecord, "id">, createdBy: string): void {
  const earlier = tx
    .select()
    .from(assignmentRules)
    .where(and(eq(assignmentRules.model, rule.model), isNull(assignmentRules.supersededBy)))
    .all();
  const added = tx
    .insert(assignmentRules)
    .values({ ...rule, createdBy })
    .run();
  const id = Number(added.lastInsertRowid);
  for (const old of earlier.filter((one) => covers(rule.selector, one.selector))) {
    tx.update(assignmentRules).set({ supersededBy: id }).where(eq(assignmentRules.id, old.id)).run();
  }
}

/** Whether every device that `old` can ever match is matched by `later` too. */
function covers(later: Selector, old: Selector): boolean {
  if ("all" in later) return true;
  if ("devices" in later) {
    if (!("devices" in old)) return false;
    const named = new Set(later.devices);
    return old.devices.every((agent) => named.has(agent));
  }
  return "labels" in old && Object.entries(later.labels).every(([key, value]) => old.labels[key] === value);
}
