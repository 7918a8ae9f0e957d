/**
 * What a backup file is: a tar whose first entry, `manifest.json`, names every other with its length and sha256, in the
 * order in which they follow. create-backup writes it, read-backup believes nothing that the manifest does not say.
 */
import { createHash } from "node:crypto";
import { modelName, sha256Hex, siteId } from "@vedette/protocol/ids";
import { z } from "zod";

export const manifestName = "manifest.json";
export const databasePath = "vedette.db";
export const inboxPath = "lake/inbox.sqlite";
/** Online keys and the operator's token, sealed by a passphrase. */
export const secretsPath = "secrets.sealed";

/** Paths that a backup may write to below its home: no other is ever made. */
const path = z.string().refine(isOurs, "no file of a control plane");

export const backupManifest = z.object({
  v: z.literal(1),
  site: siteId,
  /** UTC ms of the control plane that was backed up. */
  at: z.int().min(0),
  files: z.array(z.object({ path, bytes: z.int().min(0), sha256: sha256Hex })).max(10_000_000),
});
export type BackupManifest = z.infer<typeof backupManifest>;

/** What the sealed secrets belong to: every other file of the backup, its site and its time. */
export function sealedWith({ site, at, files }: BackupManifest): Buffer {
  const lines = files.filter(({ path }) => path !== secretsPath).map((one) => `${one.sha256} ${one.bytes} ${one.path}`);
  return createHash("sha256")
    .update([`vedette/backup/1 ${site} ${at}`, ...lines].join("\n"))
    .digest();
}

function isOurs(text: string): boolean {
  if ([databasePath, inboxPath, secretsPath].includes(text)) return true;
  const blob = /^blobs\/([0-9a-f]{2})\/([0-9a-f]{64})$/.exec(text);
  if (blob) return blob[2]?.startsWith(blob[1] ?? "-") ?? false;
  const file = /^lake\/files\/model=([^/]+)\/hour=\d{4}-\d\d-\d\dT\d\d\/(?:[a-z]+-)?(?:\d+-)?\d+-\d+\.parquet$/.exec(
    text,
  );
  return file !== null && modelName.safeParse(file[1]).success;
}
