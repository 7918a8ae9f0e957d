/** Files that survive a power failure: written beside, synced, renamed, folder synced. Used by storage, key and site file. */
import { randomBytes } from "node:crypto";
import { mkdir, open, rename, rm } from "node:fs/promises";
import { basename, dirname, join } from "node:path";

/** Names of half-written files begin so; they are never read, and swept at the next start. */
export const temporaryPrefix = ".tmp-";

/**
 * Replaces a file, all or nothing; its bytes are on the disk when this resolves.
 * @throws the system's error; nothing but the old file is left then.
 */
export async function writeDurably(path: string, bytes: Uint8Array, mode = 0o644): Promise<void> {
  const folder = dirname(path);
  const beside = join(folder, `${temporaryPrefix}${randomBytes(6).toString("hex")}-${basename(path)}`);
  try {
    const file = await inFolder(folder, () => open(beside, "wx", mode));
    try {
      await file.writeFile(bytes);
      await file.sync();
    } finally {
      await file.close();
    }
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  await syncFolder(folder);
}

/** Opens a file; its folder is made where that is what is missing, which for all but the first file it is not. */
export async function inFolder<T>(folder: string, openFile: () => T | Promise<T>): Promise<T> {
  try {
    return await openFile();
  } catch (error) {
    if (!(error instanceof Error && "code" in error && error.code === "ENOENT")) throw error;
    await makeFolder(folder);
    return openFile();
  }
}

/** Makes a folder and its parents, each entered durably in the one above; its owner's alone, for inputs are logged there. */
export async function makeFolder(folder: string): Promise<void> {
  const first = await mkdir(folder, { recursive: true, mode: 0o700 });
  if (first === undefined) return;
  for (let made = folder; made.length >= first.length; made = dirname(made)) await syncFolder(dirname(made));
}

/** Makes renames and new entries of a folder outlive a power failure. */
export async function syncFolder(folder: string): Promise<void> {
  const handle = await open(folder, "r");
  try {
    await handle.sync();
  } finally {
    await handle.close();
  }
}
