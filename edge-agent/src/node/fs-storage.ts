/**
 * Port Storage on a folder of the file system: core/ writes its store, spool and state through it. A name that is not
 * plain is refused before the disk is touched, so that nothing received can point outside of the folder.
 */
import { close, fsync, open, writeSync } from "node:fs";
import { readdir, readFile, rm, unlink } from "node:fs/promises";
import { dirname, join } from "node:path";
import { promisify } from "node:util";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { AppendFile, Storage } from "../core/ports.ts";
import { readBootId } from "./boot-id.ts";
import { inFolder, makeFolder, syncFolder, temporaryPrefix, writeDurably } from "./durable-file.ts";
import { readPlace } from "./place.ts";

const openFile = promisify(open);
const syncFile = promisify(fsync);
const closeFile = promisify(close);

/**
 * Opens (and makes) the folder, and removes what a power failure left half-written.
 * @throws VedetteError storage_failed.
 */
export async function openFsStorage(root: string): Promise<Storage> {
  await guarded("opening", root, async () => {
    await makeFolder(root);
    const names = await readdir(root, { recursive: true });
    const halfWritten = names.filter((name) => (name.split("/").at(-1) ?? "").startsWith(temporaryPrefix));
    for (const name of halfWritten) await rm(join(root, name), { force: true });
  });
  const [bootId, place] = await Promise.all([readBootId(), readPlace(join(root, "place"))]);

  return {
    bootId,
    place,
    async read(path) {
      const file = resolve(root, path);
      return guarded("reading", file, async () => {
        const bytes = await unlessMissing(readFile(file));
        return bytes && new Uint8Array(bytes);
      });
    },
    async write(path, bytes) {
      const file = resolve(root, path);
      return guarded("writing", file, () => writeDurably(file, bytes));
    },
    async list(folder) {
      const place = folder === "" ? root : resolve(root, folder);
      return guarded("listing", place, async () => {
        const names = (await unlessMissing(readdir(place))) ?? [];
        return names.filter((name) => !name.startsWith(temporaryPrefix)).sort();
      });
    },
    async remove(path) {
      const file = resolve(root, path);
      return guarded("removing", file, () => removeAny(file));
    },
    async settle(folder) {
      const place = resolve(root, folder);
      return guarded("syncing", place, () => syncFolder(place));
    },
    async append(path) {
      const file = resolve(root, path);
      return guarded("opening", file, () => inFolder(dirname(file), () => openAppendFile(file)));
    },
  };
}

/** Not opened synchronously: a new file waits for the journal while others sync, and every answer would wait with it. */
async function openAppendFile(file: string): Promise<AppendFile> {
  const descriptor = await openFile(file, "a");
  let entered = false;
  return {
    append(bytes) {
      try {
        for (let at = 0; at < bytes.length; ) at += writeSync(descriptor, bytes, at);
      } catch (cause) {
        throw failure("appending to", file, cause);
      }
    },
    sync: () =>
      guarded("syncing", file, async () => {
        await syncFile(descriptor);
        // The file may be new: its entry in the folder must reach the disk too, once.
        if (!entered) await syncFolder(dirname(file));
        entered = true;
      }),
    close: () => guarded("closing", file, () => closeFile(descriptor)),
  };
}

const plainName = /^[A-Za-z0-9._-]+$/;

function resolve(root: string, path: string): string {
  const parts = path.split("/");
  const plain = parts.every(
    (part) => plainName.test(part) && part !== "." && part !== ".." && !part.startsWith(temporaryPrefix),
  );
  if (!plain) {
    const shown = JSON.stringify(path.slice(0, 100));
    throw new VedetteError("invalid_argument", `${shown} is no storage path: use names of A-Za-z0-9._- joined by /`);
  }
  return join(root, ...parts);
}

/** Nearly always a file, for which `rm` looks three times. */
async function removeAny(path: string): Promise<void> {
  try {
    await unlessMissing(unlink(path));
  } catch {
    // A folder, or a fault that rm will meet too, and name.
    await rm(path, { force: true, recursive: true });
  }
}

async function unlessMissing<T>(work: Promise<T>): Promise<T | undefined> {
  try {
    return await work;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw error;
  }
}

async function guarded<T>(doing: string, place: string, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (cause) {
    throw failure(doing, place, cause);
  }
}

function failure(doing: string, place: string, cause: unknown): VedetteError {
  return new VedetteError(
    "storage_failed",
    `${doing} ${place} failed (${messageOf(cause)}): check the disk's space and that this user may write there`,
    { cause },
  );
}
