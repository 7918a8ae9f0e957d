/** Reads a backup file entry by entry, and hands on only what its manifest says: names, lengths, hashes, order. */
import { createHash } from "node:crypto";
import { createReadStream } from "node:fs";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { extract } from "tar-stream";
import { type BackupManifest, backupManifest, manifestName } from "./backup-manifest.ts";

/** Longest manifest: some 100 bytes a file. */
const maxManifestBytes = 256 * 1024 * 1024;

/** Takes one file's bytes as they come; `end` after they were found to be those of the manifest. */
export interface FileTaker {
  write(bytes: Uint8Array): Promise<void>;
  end(): Promise<void>;
  /** The rest will not come. */
  abort(): Promise<void>;
}

/**
 * @param take is asked for each file in turn; undefined: only checked.
 * @throws VedetteError invalid_argument where it is no backup, digest_mismatch or length_mismatch where it was changed or
 * is not whole.
 */
export async function readBackup(
  file: string,
  take: (path: string, manifest: BackupManifest) => Promise<FileTaker> = async () => nowhere,
): Promise<BackupManifest> {
  const tar = extract();
  const source = createReadStream(file);
  source.on("error", (error) => tar.destroy(error));
  source.pipe(tar);
  let manifest: BackupManifest | undefined;
  let next = 0;
  let open: FileTaker | undefined;
  try {
    for await (const entry of tar) {
      if (!manifest) {
        manifest = parseManifest(entry.header.name, await collect(entry as AsyncIterable<Buffer>), file);
        continue;
      }
      const expected = manifest.files[next++];
      if (entry.header.name !== expected?.path) {
        throw new VedetteError(
          "digest_mismatch",
          `${file}: ${entry.header.name} stands where ${expected?.path ?? "the end"} should`,
        );
      }
      const taker = await take(expected.path, manifest);
      open = taker;
      const hash = createHash("sha256");
      let bytes = 0;
      for await (const chunk of entry as AsyncIterable<Buffer>) {
        hash.update(chunk);
        bytes += chunk.length;
        await taker.write(chunk);
      }
      if (bytes !== expected.bytes || hash.digest("hex") !== expected.sha256) {
        throw new VedetteError(
          "digest_mismatch",
          `${file}: ${expected.path} is not what the manifest says: take another backup`,
        );
      }
      await taker.end();
      open = undefined;
    }
  } catch (cause) {
    await open?.abort();
    if (cause instanceof VedetteError) throw cause;
    throw new VedetteError("invalid_argument", `${file} cannot be read as a backup: ${messageOf(cause)}`, { cause });
  } finally {
    source.destroy();
  }
  if (!manifest) throw new VedetteError("invalid_argument", `${file} is no backup of a control plane: it is empty`);
  if (next < manifest.files.length) {
    throw new VedetteError(
      "length_mismatch",
      `${file} ends after ${next} of ${manifest.files.length} files: it was not written to its end`,
    );
  }
  return manifest;
}

const nowhere: FileTaker = { write: async () => {}, end: async () => {}, abort: async () => {} };

function parseManifest(name: string, text: string, file: string): BackupManifest {
  const fault = (why: string, cause?: unknown) =>
    new VedetteError("invalid_argument", `${file} is no backup of a control plane: ${why}`, { cause });
  if (name !== manifestName) throw fault(`its first entry is ${name.slice(0, 100)}, not ${manifestName}`);
  let json: unknown;
  try {
    json = JSON.parse(text);
  } catch (cause) {
    throw fault("its manifest is not JSON", cause);
  }
  const parsed = backupManifest.safeParse(json);
  if (!parsed.success) throw fault(`its manifest does not fit (${parsed.error.issues[0]?.message})`, parsed.error);
  return parsed.data;
}

async function collect(entry: AsyncIterable<Uint8Array>): Promise<string> {
  const parts: Uint8Array[] = [];
  let bytes = 0;
  for await (const chunk of entry) {
    bytes += chunk.length;
    if (bytes > maxManifestBytes) throw new VedetteError("too_large", "the backup's manifest is too long");
    parts.push(chunk);
  }
  return Buffer.concat(parts).toString("utf8");
}
