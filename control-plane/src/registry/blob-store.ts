/**
 * Bytes by their sha256, one file each, in 256 folders. Publishing writes here, the broker reads; a file that stands
 * under its name is complete, because it was written beside, synced and renamed.
 */

import { randomUUID } from "node:crypto";
import { access, mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { VedetteError } from "@vedette/protocol/errors";
import { sha256Hex } from "@vedette/protocol/ids";
import { syncFolder } from "../durable-file.ts";
import type { BlobStore } from "../ports.ts";
import { sha256 as sha256Of } from "../sha256.ts";

/** Opens (or makes) a store in a folder. */
export async function openBlobStore(folder: string): Promise<BlobStore> {
  const drafts = join(folder, "drafts");
  // What a crash left half written has no name yet and is of no use to anyone.
  await rm(drafts, { recursive: true, force: true });
  await mkdir(drafts, { recursive: true });
  /** A name is checked before it becomes a path, so that no caller can reach outside the folder. */
  const shard = (sha256: string) => join(folder, sha256Hex.parse(sha256).slice(0, 2));
  const place = (sha256: string) => join(shard(sha256), sha256);

  const has = async (sha256: string): Promise<boolean> => {
    try {
      await access(place(sha256));
      return true;
    } catch (error) {
      return absent(error, sha256, false);
    }
  };
  return {
    has,
    async get(sha256) {
      try {
        return new Uint8Array(await readFile(place(sha256)));
      } catch (error) {
        return absent(error, sha256, undefined);
      }
    },
    async put(sha256, bytes) {
      const actual = sha256Of(bytes);
      if (actual !== sha256) {
        throw new VedetteError(
          "digest_mismatch",
          `the bytes sent as blob ${sha256} have sha256 ${actual}: send them again`,
        );
      }
      if (await has(sha256)) return;
      const draft = join(drafts, randomUUID());
      try {
        await writeSynced(draft, bytes);
        await mkdir(shard(sha256), { recursive: true });
        await rename(draft, place(sha256));
        await syncFolder(shard(sha256));
        await syncFolder(folder);
      } catch (cause) {
        await rm(draft, { force: true });
        throw new VedetteError(
          "storage_failed",
          `blob ${sha256} could not be written to ${folder}: is the disk full?`,
          { cause },
        );
      }
    },
  };
}

function absent<T>(error: unknown, sha256: string, answer: T): T {
  if (error instanceof Error && "code" in error && error.code === "ENOENT") return answer;
  throw new VedetteError("storage_failed", `blob ${sha256} could not be read`, { cause: error });
}

async function writeSynced(path: string, bytes: Uint8Array): Promise<void> {
  const file = await open(path, "wx");
  try {
    await file.writeFile(bytes);
    await file.sync();
  } finally {
    await file.close();
  }
}
