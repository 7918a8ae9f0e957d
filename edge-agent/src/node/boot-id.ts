/** Which boot of the machine this is: what a process of an earlier one left in the page cache, or locked, is gone. */
import { readFile } from "node:fs/promises";
import { uptime } from "node:os";

/** Linux says so itself. Elsewhere the moment of boot, to the minute, since clock steps move it by less than that. */
export async function readBootId(): Promise<string> {
  try {
    return (await readFile("/proc/sys/kernel/random/boot_id", "utf8")).trim();
  } catch {
    return `boot-${Math.round((Date.now() - uptime() * 1000) / 60_000)}`;
  }
}
