/** Enrolled devices: who they are, what they last said, and what was decided for them. */
import type { AgentAbilities } from "@vedette/protocol/capability";
import type { Stamp } from "@vedette/protocol/device-message";
import type { AssignedSlot, Reported } from "@vedette/protocol/messages";
import { asc, eq, sql } from "drizzle-orm";
import { record } from "./audit-chain.ts";
import type { Connection } from "./connection.ts";
import type { AuditEntry, DeviceRecord, Labels } from "./records.ts";
import { devices } from "./schema.ts";

export interface DeviceRepository {
  find(agent: string): Promise<DeviceRecord | undefined>;
  /** Its key, and the stamp of what it said last: all that its messages are judged by. */
  identity(agent: string): Promise<{ publicKey: string; heard: Stamp | null } | undefined>;
  /** Of what was last decided for it; 0 before that. */
  revision(agent: string): Promise<number | undefined>;
  heard(agent: string, stamp: Stamp): Promise<void>;
  /** All devices by id. */
  list(): Promise<DeviceRecord[]>;
  /** Who there is, and in which groups: without what each reported. */
  members(): Promise<Pick<DeviceRecord, "agent" | "labels" | "revokedAt">[]>;
  /** What a hello said of the device. */
  described(agent: string, abilities: AgentAbilities, saidLabels: Labels): Promise<void>;
  reported(agent: string, report: Reported): Promise<void>;
  /** When devices last gave a sign of life, UTC ms. */
  seen(times: readonly { agent: string; at: number }[]): Promise<void>;
  /** Takes a device's way in, or gives it back (null). Answers whether there was anything to change. */
  setRevoked(agent: string, reason: string | null, entry: AuditEntry): Promise<boolean>;
  /** What the director decided, all in one transaction. */
  assigned(changes: readonly { agent: string; rev: number; slots: readonly AssignedSlot[] }[]): Promise<void>;
}

export function deviceRepository(db: Connection): DeviceRepository {
  // Asked with every message: composing and preparing them anew cost as much as half of taking one.
  const ofAgent = eq(devices.agent, sql.placeholder("agent"));
  const { publicKey, heard, report } = devices;
  const value = sql`${sql.placeholder("value")}`;
  const prepared = {
    find: db.select().from(devices).where(ofAgent).prepare(),
    identity: db.select({ publicKey, heard }).from(devices).where(ofAgent).prepare(),
    setHeard: db.update(devices).set({ heard: value }).where(ofAgent).prepare(),
    setReport: db.update(devices).set({ report: value }).where(ofAgent).prepare(),
    setSeen: db.update(devices).set({ lastSeen: value }).where(ofAgent).prepare(),
  };
  return {
    async find(agent) {
      const row = prepared.find.get({ agent });
      return row && toRecord(row);
    },
    async identity(agent) {
      return prepared.identity.get({ agent });
    },
    async revision(agent) {
      return db.select({ rev: devices.rev }).from(devices).where(eq(devices.agent, agent)).get()?.rev;
    },
    async heard(agent, stamp) {
      prepared.setHeard.run({ agent, value: heard.mapToDriverValue(stamp) });
    },
    async list() {
      return db.select().from(devices).orderBy(asc(devices.agent)).all().map(toRecord);
    },
    async members() {
      const { agent, saidLabels, tokenLabels, revokedAt } = devices;
      const rows = db.select({ agent, saidLabels, tokenLabels, revokedAt }).from(devices).orderBy(asc(agent)).all();
      return rows.map(({ saidLabels: said, tokenLabels: given, ...rest }) => ({
        ...rest,
        labels: { ...said, ...given },
      }));
    },
    async described(agent, abilities, saidLabels) {
      db.update(devices).set({ abilities, saidLabels }).where(eq(devices.agent, agent)).run();
    },
    async reported(agent, said) {
      prepared.setReport.run({ agent, value: report.mapToDriverValue(said) });
    },
    async seen(times) {
      db.transaction(() => {
        for (const { agent, at } of times) prepared.setSeen.run({ agent, value: at });
      });
    },
    async setRevoked(agent, reason, entry) {
      return db.transaction((tx) => {
        const before = tx.select().from(devices).where(eq(devices.agent, agent)).get();
        if (!before || (before.revokedAt !== null) === (reason !== null)) return false;
        const set = { revokedAt: reason === null ? null : entry.at, revokedReason: reason };
        tx.update(devices).set(set).where(eq(devices.agent, agent)).run();
        record(tx, entry);
        return true;
      });
    },
    async assigned(changes) {
      db.transaction((tx) => {
        for (const { agent, rev, slots } of changes) {
          tx.update(devices).set({ rev, slots }).where(eq(devices.agent, agent)).run();
        }
      });
    },
  };
}

function toRecord(row: typeof devices.$inferSelect): DeviceRecord {
  const { tokenLabels, saidLabels, heard: _heard, ...rest } = row;
  return { ...rest, labels: { ...saidLabels, ...tokenLabels } };
}
