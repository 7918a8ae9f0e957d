/** What is left of a disk: asked of the system. Rooms take it as a port, so that tests bring their own. */
import { statfs } from "node:fs/promises";
import type { DiskSpace } from "./monitoring/alerts/sources/low-disk.ts";

/** Of the disk that holds a folder. */
export async function systemDiskSpace(folder: string): Promise<DiskSpace> {
  const { bsize, bavail, blocks } = await statfs(folder);
  return { free: bsize * bavail, total: bsize * blocks };
}
