import { copyFile, link, mkdir } from "node:fs/promises";
import { dirname } from "node:path";

/** A second name for a file that never changes, in a folder made where there is none; a copy where the disk has no links. */
export async function linkFile(from: string, to: string): Promise<void> {
  await mkdir(dirname(to), { recursive: true });
  try {
    await link(from, to);
  } catch (error) {
    if (!(error instanceof Error && "code" in error && ["EPERM", "ENOTSUP", "EXDEV"].includes(String(error.code))))
      throw error;
    await copyFile(from, to);
  }
}
