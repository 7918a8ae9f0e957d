/** Alerts, and the receivers of them with what each was told. */
import { severities } from "@vedette/protocol/alerts-api";
import { VedetteError } from "@vedette/protocol/errors";
import { and, asc, desc, eq, gte, inArray, isNotNull, isNull, lt, or, sql } from "drizzle-orm";
import { alertGroups, alertOutbox, alertReceivers, alerts } from "./alerts-schema.ts";
import { record } from "./audit-chain.ts";
import type { Connection } from "./connection.ts";
import type { AlertRecord, AuditEntry, ReceiverRecord, ToldRecord } from "./records.ts";

export interface AlertRepository {
  find(id: number): Promise<AlertRecord | undefined>;
  firing(): Promise<AlertRecord[]>;
  /** The newest first. */
  resolved(limit: number): Promise<AlertRecord[]>;
  /** New ones get their id. All or none, with the audit entry where there is one. */
  write(changed: readonly (Omit<AlertRecord, "id"> & { id?: number })[], entry?: AuditEntry): Promise<AlertRecord[]>;
  /** Drops alerts that ended before a moment. */
  prune(before: number): Promise<void>;

  receivers(): Promise<ReceiverRecord[]>;
  /** @throws VedetteError conflict where the name is taken. */
  addReceiver(receiver: Pick<ReceiverRecord, "name" | "url" | "minSeverity">, entry: AuditEntry): Promise<void>;
  /** Puts what may be shown in place of a whole address; nothing of that is left in the file. */
  hideAddress(name: string, shown: string): Promise<void>;
  /** Answers whether there was one. */
  removeReceiver(name: string, entry: AuditEntry): Promise<boolean>;
  /** Alerts that a receiver may have to be told of: those that fire, and those that ended since it is there or was told. */
  outbox(receiver: string): Promise<{ alert: AlertRecord; told: ToldRecord | null }[]>;
  /** When a receiver was last sent each group, by model. */
  groups(receiver: string): Promise<ReadonlyMap<string, number>>;
  delivered(receiver: string, model: string, told: readonly Omit<ToldRecord, "receiver">[], at: number): Promise<void>;
  failed(receiver: string, why: string, at: number, retryAt: number): Promise<void>;
}

export function alertRepository(db: Connection): AlertRepository {
  return {
    async find(id) {
      return db.select().from(alerts).where(eq(alerts.id, id)).get();
    },
    async firing() {
      return db.select().from(alerts).where(isNull(alerts.endsAt)).orderBy(asc(alerts.id)).all();
    },
    async resolved(limit) {
      return db
        .select()
        .from(alerts)
        .where(isNotNull(alerts.endsAt))
        .orderBy(desc(alerts.endsAt), desc(alerts.id))
        .limit(limit)
        .all();
    },
    async write(changed, entry) {
      return db.transaction((tx) => {
        const written = changed.map(({ id, ...row }) => {
          if (id === undefined) return tx.insert(alerts).values(row).returning().get();
          return tx.update(alerts).set(row).where(eq(alerts.id, id)).returning().get();
        });
        if (entry) record(tx, entry);
        return written;
      });
    },
    async prune(before) {
      db.delete(alerts).where(lt(alerts.endsAt, before)).run();
    },
    async receivers() {
      return db.select().from(alertReceivers).orderBy(asc(alertReceivers.name)).all();
    },
    async addReceiver(receiver, entry) {
      db.transaction((tx) => {
        const row = { ...receiver, createdAt: entry.at, createdBy: entry.actor };
        if (tx.insert(alertReceivers).values(row).onConflictDoNothing().run().changes === 0) {
          const why = `there is a receiver ${receiver.name} already: remove it first, or choose another name`;
          throw new VedetteError("conflict", why);
        }
        record(tx, entry);
      });
    },
    async hideAddress(name, shown) {
      // Else the former row stays in a free part of its page, and in the log of writes.
      db.all(sql`PRAGMA secure_delete = ON`);
      db.update(alertReceivers).set({ url: shown }).where(eq(alertReceivers.name, name)).run();
      db.all(sql`PRAGMA secure_delete = OFF`);
      db.all(sql`PRAGMA wal_checkpoint(TRUNCATE)`);
    },
    async removeReceiver(name, entry) {
      return db.transaction((tx) => {
        if (tx.delete(alertReceivers).where(eq(alertReceivers.name, name)).run().changes === 0) return false;
        record(tx, entry);
        return true;
      });
    },
    async outbox(receiver) {
      const there = db.select().from(alertReceivers).where(eq(alertReceivers.name, receiver)).get();
      if (!there) return [];
      const rows = db
        .select()
        .from(alerts)
        .leftJoin(alertOutbox, and(eq(alertOutbox.alert, alerts.id), eq(alertOutbox.receiver, receiver)))
        .where(
          or(
            isNull(alerts.endsAt),
            eq(alertOutbox.told, "firing"),
            and(
              isNull(alertOutbox.told),
              gte(alerts.changedAt, there.createdAt),
              inArray(alerts.severity, severities.slice(severities.indexOf(there.minSeverity))),
            ),
          ),
        )
        .orderBy(asc(alerts.id))
        .all();
      return rows.map((row) => ({ alert: row.alerts, told: row.alert_outbox }));
    },
    async groups(receiver) {
      const rows = db.select().from(alertGroups).where(eq(alertGroups.receiver, receiver)).all();
      return new Map(rows.map(({ model, sentAt }) => [model, sentAt]));
    },
    async delivered(receiver, model, told, at) {
      db.transaction((tx) => {
        const set = { failures: 0, failingSince: null, retryAt: 0, lastError: null, lastDelivery: at };
        const there = tx.update(alertReceivers).set(set).where(eq(alertReceivers.name, receiver)).run();
        // Removed meanwhile: nothing is kept of it.
        if (there.changes === 0) return;
        for (const one of told) {
          const { told: state, severity } = one;
          tx.insert(alertOutbox)
            .values({ receiver, ...one })
            .onConflictDoUpdate({
              target: [alertOutbox.receiver, alertOutbox.alert],
              set: { told: state, severity },
            })
            .run();
        }
        tx.insert(alertGroups)
          .values({ receiver, model, sentAt: at })
          .onConflictDoUpdate({ target: [alertGroups.receiver, alertGroups.model], set: { sentAt: at } })
          .run();
      });
    },
    async failed(receiver, why, at, retryAt) {
      db.transaction((tx) => {
        const there = tx.select().from(alertReceivers).where(eq(alertReceivers.name, receiver)).get();
        if (!there) return;
        const set = {
          failures: there.failures + 1,
          failingSince: there.failingSince ?? at,
          lastError: why.slice(0, 500),
          retryAt,
        };
        tx.update(alertReceivers).set(set).where(eq(alertReceivers.name, receiver)).run();
      });
    },
  };
}
