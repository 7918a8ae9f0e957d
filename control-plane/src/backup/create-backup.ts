/**
 * A backup while all goes on: the databases by SQLite's own online copy, the lake's files and the blobs (neither ever
 * changes under its name) by hard links, the secrets sealed. Staged in a folder first, so that what is streamed cannot
 * change any more; the HTTP route streams it.
 */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, readdir, readFile, rm, stat, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { PassThrough } from "node:stream";
import { pipeline } from "node:stream/promises";
import { VedetteError } from "@vedette/protocol/errors";
import { pack } from "tar-stream";
import { readIfThere } from "../durable-file.ts";
import { linkFile } from "../link-file.ts";
import type { Clock } from "../ports.ts";
import { type BackupManifest, databasePath, manifestName, sealedWith, secretsPath } from "./backup-manifest.ts";
import { type Secrets, sealSecrets } from "./seal-secrets.ts";

export interface BackupSources {
  readonly site: string;
  /** The control plane's data folder, and the file of the operator's token. */
  readonly data: string;
  readonly operatorTokenFile: string;
  readonly clock: Clock;
  /** Copies the main database to a file. */
  copyDatabase(file: string): Promise<void>;
  /** Copies the records (`inbox.sqlite`) and links the files that count at that moment (`files/…`) into a folder. */
  copyLake(folder: string): Promise<void>;
}

export interface Backup {
  readonly manifest: BackupManifest;
  /** The tar. */
  readonly stream: PassThrough;
}

/**
 * @returns makes a backup. `passphrase`: seals keys and token into it; undefined: they stay out.
 * @throws VedetteError busy while another is being made.
 */
export async function openBackups(sources: BackupSources): Promise<(passphrase?: string) => Promise<Backup>> {
  const { data, clock, site } = sources;
  const drafts = join(data, "backup-drafts");
  // What a crash left.
  await rm(drafts, { recursive: true, force: true });
  let busy = false;

  return async (passphrase) => {
    if (busy) throw new VedetteError("busy", "another backup is being made: ask again when it has ended");
    busy = true;
    await mkdir(drafts, { recursive: true, mode: 0o700 });
    const folder = await mkdtemp(join(drafts, "b-"));
    const done = async () => {
      await rm(folder, { recursive: true, force: true });
      busy = false;
    };
    try {
      // Records first: what they speak of (versions, devices) is then in the later copy of the main database.
      await sources.copyLake(join(folder, "lake"));
      await sources.copyDatabase(join(folder, databasePath));
      await linkFiles(join(data, "blobs"), join(folder, "blobs"), (name) => /^[0-9a-f]{2}\/[0-9a-f]{64}$/.test(name));
      const manifest: BackupManifest = { v: 1, site, at: clock.now(), files: await describe(folder) };
      if (passphrase !== undefined) {
        const sealed = await sealSecrets(await readSecrets(sources), passphrase, sealedWith(manifest));
        await writeFile(join(folder, secretsPath), sealed, { mode: 0o600 });
        manifest.files.push(await describeFile(folder, secretsPath));
      }
      const stream = new PassThrough();
      writeTar(manifest, folder, stream).then(done, async (error: unknown) => {
        await done();
        stream.destroy(error instanceof Error ? error : new Error(String(error)));
      });
      return { manifest, stream };
    } catch (error) {
      await done();
      throw error;
    }
  };
}

/** Links files under their relative names into another folder of the same disk; copies where there are no links. */
async function linkFiles(from: string, to: string, wanted: (name: string) => boolean): Promise<void> {
  const there = await readdir(from, { recursive: true, withFileTypes: true });
  for (const entry of there) {
    const name = join(entry.parentPath, entry.name).slice(from.length + 1);
    if (entry.isFile() && wanted(name)) await linkFile(join(from, name), join(to, name));
  }
}

async function readSecrets({ data, operatorTokenFile }: BackupSources): Promise<Secrets> {
  const keys = ["online-keys", "site-authority", "sink-tokens", "receiver-headers"].map(async (folder) => {
    const names = (await readdir(join(data, folder)))
      .filter((name) => /^[a-z0-9-]+(\.(pem|next\.pem|crt|key))?$/.test(name))
      .sort();
    return names.map(async (name) => [`${folder}/${name}`, await readFile(join(data, folder, name), "utf8")] as const);
  });
  const all = await Promise.all((await Promise.all(keys)).flat());
  const token = await readIfThere(operatorTokenFile);
  return Object.fromEntries([...all, ...(token === undefined ? [] : [["operator.token", token]])]);
}

async function describe(folder: string): Promise<BackupManifest["files"]> {
  const there = await readdir(folder, { recursive: true, withFileTypes: true });
  const paths = there.filter((entry) => entry.isFile()).map((entry) => join(entry.parentPath, entry.name));
  const files: BackupManifest["files"] = [];
  for (const path of paths.sort()) files.push(await describeFile(folder, path.slice(folder.length + 1)));
  return files;
}

async function describeFile(folder: string, path: string): Promise<BackupManifest["files"][number]> {
  const file = join(folder, path);
  const hash = createHash("sha256");
  await pipeline(createReadStream(file), hash);
  return { path, bytes: (await stat(file)).size, sha256: hash.digest("hex") };
}

async function writeTar(manifest: BackupManifest, folder: string, to: NodeJS.WritableStream): Promise<void> {
  const tar = pack();
  const mtime = new Date(manifest.at);
  const write = async () => {
    tar.entry({ name: manifestName, mtime }, JSON.stringify(manifest));
    for (const { path, bytes } of manifest.files) {
      const entry = tar.entry({ name: path, size: bytes, mtime });
      await pipeline(createReadStream(join(folder, path)), entry);
    }
    tar.finalize();
  };
  await Promise.all([write(), pipeline(tar, to)]);
}
