/** What a database taken from a backup must know of it, before a control plane opens it. restore-backup calls it. */
import { inArray, sql } from "drizzle-orm";
import { record } from "./audit-chain.ts";
import { openConnection } from "./open-connection.ts";
import { metadata, tokens } from "./schema.ts";

/**
 * Enrolment tokens end, for those that were used up or revoked since the backup would be good again; the audit says so.
 * Snapshot and timestamp lose their signatures and keep their versions: devices may have seen later ones, so the control plane
 * makes both anew, in versions of this moment, when it starts.
 * @param now UTC ms. @param backupAt when the backup was made, UTC ms.
 */
export function markRestored(file: string, now: number, backupAt: number): void {
  const { connection, close } = openConnection(file);
  try {
    connection.transaction((tx) => {
      tx.update(tokens)
        .set({ expiresAt: sql`min(${tokens.expiresAt}, ${now})` })
        .run();
      tx.update(metadata)
        .set({ text: sql`json_set(${metadata.text}, '$.signatures', json('[]'))` })
        .where(inArray(metadata.role, ["snapshot", "timestamp"]))
        .run();
      const detail = { backupOf: new Date(backupAt).toISOString() };
      record(tx, { at: now, actor: "control-plane", action: "backup.restore", subject: "site", detail });
    });
  } finally {
    close();
  }
}
