/** Files of the control plane's own on its disk: read where they are, and written so that a crash leaves the old or the new. */
import { randomUUID } from "node:crypto";
import { open, readFile, rename, rm, writeFile } from "node:fs/promises";
import { dirname } from "node:path";
import { messageOf, VedetteError } from "@vedette/protocol/errors";

/**
 * A secret into a file that only its owner reads, whole or not at all, also where others write it at the same time. Resolves
 * when it would outlive a power failure.
 */
export async function writeWhole(path: string, text: string): Promise<void> {
  const beside = `${path}.${randomUUID()}.tmp`;
  try {
    await writeFile(beside, text, { mode: 0o600, flush: true });
    await rename(beside, path);
  } catch (error) {
    await rm(beside, { force: true });
    throw error;
  }
  await syncFolder(dirname(path));
}

/** What was created, renamed or removed in a folder outlives a power failure from here on. */
export async function syncFolder(path: string): Promise<void> {
  const folder = await open(path, "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}

/** The text of a file; undefined where there is none. @throws VedetteError storage_failed. */
export async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return undefined;
    throw new VedetteError("storage_failed", `${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
}
