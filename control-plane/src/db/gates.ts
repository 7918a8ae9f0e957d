/** What the gate said of versions, and who let pass what it did not: signed texts, only ever added. */
import type { SignedText } from "@vedette/protocol/signed";
import { desc, eq } from "drizzle-orm";
import { record } from "./audit-chain.ts";
import type { Connection } from "./connection.ts";
import { gateOverrides, gateReports, gateRows } from "./gates-schema.ts";
import type { AuditEntry } from "./records.ts";

interface GateText {
  readonly digest: string;
  readonly at: number;
  readonly signed: SignedText;
}

export interface GateRepository {
  addReport(report: GateText, entry: AuditEntry): Promise<void>;
  addOverride(override: GateText, entry: AuditEntry): Promise<void>;
  /** The last of each of a version. */
  latest(digest: string): Promise<{ report: SignedText | undefined; override: SignedText | undefined }>;
  /** Labelled rows, by the sha256 of their text; again is no matter. */
  putRows(sha256: string, text: string): Promise<void>;
  rows(sha256: string): Promise<string | undefined>;
}

export function gateRepository(db: Connection): GateRepository {
  const add = (table: typeof gateReports | typeof gateOverrides) => async (text: GateText, entry: AuditEntry) => {
    db.transaction((tx) => {
      tx.insert(table).values(text).run();
      record(tx, entry);
    });
  };
  const last = (table: typeof gateReports | typeof gateOverrides, digest: string) =>
    db.select({ signed: table.signed }).from(table).where(eq(table.digest, digest)).orderBy(desc(table.id)).get();

  return {
    addReport: add(gateReports),
    addOverride: add(gateOverrides),
    async latest(digest) {
      return { report: last(gateReports, digest)?.signed, override: last(gateOverrides, digest)?.signed };
    },
    async putRows(sha256, text) {
      db.insert(gateRows).values({ sha256, text }).onConflictDoNothing().run();
    },
    async rows(sha256) {
      return db.select().from(gateRows).where(eq(gateRows.sha256, sha256)).get()?.text;
    },
  };
}
