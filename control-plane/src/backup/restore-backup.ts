/**
 * A backup becomes a home. All of it is checked and on the disk before anything has its name; a restore that was killed
 * leaves nothing that starts, and is done again. What a restored control plane must know of itself is written into it.
 */
import { mkdir, open, readdir, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname, join } from "node:path";
import { VedetteError } from "@vedette/protocol/errors";
import Database from "better-sqlite3";
import { markRestored } from "../db/mark-restored.ts";
import { syncFolder } from "../durable-file.ts";
import { type BackupManifest, databasePath, inboxPath, sealedWith, secretsPath } from "./backup-manifest.ts";
import { type FileTaker, readBackup } from "./read-backup.ts";
import { openSecrets } from "./seal-secrets.ts";

export interface Restored {
  readonly site: string;
  /** UTC ms at which the backup was made. */
  readonly at: number;
  readonly files: number;
  readonly bytes: number;
  /** Whether online keys and the operator's token came with it. */
  readonly keys: boolean;
}

/** The operator's offline keys live beside, and are nobody's to touch. */
const others = ["keys"];

/**
 * @param options.now UTC ms. @param options.passphrase of the backup's secrets; `null`: leave them out.
 * @throws VedetteError conflict where the home is not empty; as `readBackup` and `openSecrets`.
 */
export async function restoreBackup(options: {
  file: string;
  home: string;
  now: number;
  passphrase: string | null;
}): Promise<Restored> {
  const { file, home, now, passphrase } = options;
  await mkdir(home, { recursive: true, mode: 0o700 });
  const draft = join(home, ".restoring");
  const there = await readdir(home);
  // A token without data is what a kill between the last two steps leaves.
  const ours = there.includes(".restoring") ? [".restoring", "operator.token"] : [];
  const foreign = there.filter((name) => ![...others, ...ours].includes(name));
  if (foreign.length > 0) {
    throw new VedetteError(
      "conflict",
      `${home} is not empty (${foreign.slice(0, 5).join(", ")}): restore into a new folder, and start with --home`,
    );
  }
  await rm(draft, { recursive: true, force: true });
  const data = join(draft, "data");
  await mkdir(data, { recursive: true, mode: 0o700 });
  try {
    const manifest = await readBackup(file, (path) => createFile(join(data, path)));
    requireWhole(manifest, file);
    const keys = await unsealInto(draft, passphrase, manifest);
    markAll(data, now, manifest);
    // Whose first token was deleted, or is left out, gets another at the next start.
    if ((await readdir(draft)).includes("operator.token"))
      await rename(join(draft, "operator.token"), join(home, "operator.token"));
    await rename(data, join(home, "data"));
    await syncFolder(home);
    await rm(draft, { recursive: true, force: true });
    const bytes = manifest.files.reduce((sum, one) => sum + one.bytes, 0);
    return { site: manifest.site, at: manifest.at, files: manifest.files.length, bytes, keys };
  } catch (error) {
    await rm(draft, { recursive: true, force: true });
    throw error;
  }
}

function requireWhole({ files }: BackupManifest, file: string): void {
  for (const needed of [databasePath, inboxPath]) {
    if (!files.some(({ path }) => path === needed))
      throw new VedetteError("invalid_argument", `${file} has no ${needed}`);
  }
}

async function createFile(path: string): Promise<FileTaker> {
  await mkdir(dirname(path), { recursive: true, mode: 0o700 });
  const handle = await open(path, "wx", 0o600);
  return {
    write: async (bytes) => void (await handle.writeFile(bytes)),
    async end() {
      await handle.sync();
      await handle.close();
    },
    abort: () => handle.close(),
  };
}

async function unsealInto(draft: string, passphrase: string | null, manifest: BackupManifest): Promise<boolean> {
  const sealedPath = join(draft, "data", secretsPath);
  if (!manifest.files.some(({ path }) => path === secretsPath)) {
    if (passphrase === null) return false;
    throw new VedetteError(
      "invalid_argument",
      "this backup was made without keys: leave --passphrase-file out and say --without-keys",
    );
  }
  const sealed = await readFile(sealedPath);
  await rm(sealedPath);
  if (passphrase === null) return false;
  for (const [path, text] of Object.entries(await openSecrets(sealed, passphrase, sealedWith(manifest)))) {
    const to = path === "operator.token" ? join(draft, path) : join(draft, "data", path);
    await mkdir(dirname(to), { recursive: true, mode: 0o700 });
    await writeFile(to, text, { mode: 0o600, flush: true });
  }
  return true;
}

/** The records learn that what devices deleted since is missing for this reason. */
function markAll(data: string, now: number, { at }: BackupManifest): void {
  withDatabase(join(data, inboxPath), (db) => {
    db.prepare(
      "INSERT INTO facts (key, value) VALUES ('restored_at', ?) ON CONFLICT DO UPDATE SET value = excluded.value",
    ).run(String(now));
  });
  withDatabase(join(data, databasePath), () => {}); // looks whether it is whole
  markRestored(join(data, databasePath), now, at);
}

function withDatabase(path: string, work: (db: Database.Database) => void): void {
  const db = new Database(path, { fileMustExist: true });
  try {
    const checked = db.pragma("integrity_check", { simple: true });
    if (checked !== "ok")
      throw new VedetteError("storage_failed", `${path} of the backup is damaged: ${String(checked).slice(0, 200)}`);
    db.pragma("journal_mode = WAL");
    db.pragma("synchronous = FULL");
    db.transaction(() => work(db)).immediate();
    db.pragma("wal_checkpoint(TRUNCATE)");
  } finally {
    db.close();
  }
}
