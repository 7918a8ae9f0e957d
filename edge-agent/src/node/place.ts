/**
 * Where a folder is: another text where it was copied. A file in it that nothing ever writes again has its inode and its
 * moment of birth, which a copy of files does not keep; the machine's own numbers tell an image of the whole card.
 */
import { open, readFile, stat } from "node:fs/promises";

/** What the machine or its card has from the factory or its first boot; those that are not there say nothing. */
const machineFiles = ["/etc/machine-id", "/proc/device-tree/serial-number", "/sys/block/mmcblk0/device/cid"];

/**
 * @param path of the file, which is made where it is not there.
 * @returns undefined where it cannot be made, as on a full disk: then nobody can tell.
 */
export async function readPlace(path: string): Promise<string | undefined> {
  try {
    await (await open(path, "a")).close();
    const { ino, birthtimeMs } = await stat(path);
    const machine = await Promise.all(machineFiles.map(readOrNothing));
    return [ino, Math.floor(birthtimeMs), ...machine].join("/");
  } catch (error) {
    if (error instanceof Error && "code" in error && typeof error.code === "string") return undefined;
    throw error;
  }
}

async function readOrNothing(path: string): Promise<string> {
  try {
    return (await readFile(path, "latin1")).replaceAll(/[^0-9A-Za-z-]/g, "").slice(0, 64);
  } catch {
    return ""; // this machine has none
  }
}
