/** An answer of any length into a file: beside, synced, and under its name only when it is whole. */
import { access, open, rename, rm } from "node:fs/promises";
import { messageOf, VedetteError } from "@vedette/protocol/errors";

/**
 * @param check looks at the whole file before it gets its name. Answers its bytes.
 * @throws VedetteError conflict where the file is there already; storage_failed.
 */
export async function saveStream(
  stream: () => Promise<ReadableStream<Uint8Array>>,
  path: string,
  check: (draft: string) => Promise<void> = async () => {},
): Promise<number> {
  if (await exists(path)) throw new VedetteError("conflict", `${path} is there already: choose another name`);
  const draft = `${path}.part`;
  let bytes = 0;
  const source = await stream();
  try {
    // Only its owner reads it: predictions and keys are nobody else's.
    const file = await open(draft, "w", 0o600);
    try {
      for await (const chunk of source) {
        bytes += chunk.length;
        await file.writeFile(chunk);
      }
      await file.sync();
    } finally {
      await file.close();
    }
    await check(draft);
    await rename(draft, path);
    return bytes;
  } catch (cause) {
    await rm(draft, { force: true });
    if (cause instanceof VedetteError) throw cause;
    throw new VedetteError("storage_failed", `${path} could not be written: ${messageOf(cause)}`, { cause });
  }
}

async function exists(path: string): Promise<boolean> {
  try {
    await access(path);
    return true;
  } catch {
    return false;
  }
}
