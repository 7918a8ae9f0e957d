/** A secret into a file that only its owner reads, whole or not at all: a crash leaves the old one or the new one. */
import { open, rename } from "node:fs/promises";
import { dirname } from "node:path";

/** Resolves when it would outlive a power failure. */
export async function writeWhole(path: string, text: string): Promise<void> {
  const draft = await open(`${path}.tmp`, "w", 0o600);
  try {
    await draft.writeFile(text);
    await draft.sync();
  } finally {
    await draft.close();
  }
  await rename(`${path}.tmp`, path);
  const folder = await open(dirname(path), "r");
  try {
    await folder.sync();
  } finally {
    await folder.close();
  }
}
