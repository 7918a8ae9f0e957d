/** CPU time of processes, as Linux counts it. */
import { readdir, readFile } from "node:fs/promises";

/** The kernel's unit for user space, on every architecture that Node runs on. */
const ticksPerSecond = 100;

/**
 * CPU seconds so far of a process and all that descend from it.
 * @throws Error where there is no /proc.
 */
export async function cpuSecondsOf(pid: number): Promise<number> {
  const all = await readProcesses();
  const children = new Map<number, number[]>();
  for (const [child, { parent }] of all) children.set(parent, [...(children.get(parent) ?? []), child]);
  const sum = (at: number): number =>
    (children.get(at) ?? []).reduce((total, child) => total + sum(child), all.get(at)?.ticks ?? 0);
  return sum(pid) / ticksPerSecond;
}

async function readProcesses(): Promise<Map<number, { parent: number; ticks: number }>> {
  const pids = (await readdir("/proc")).filter((name) => /^\d+$/.test(name));
  const found = new Map<number, { parent: number; ticks: number }>();
  await Promise.all(
    pids.map(async (pid) => {
      const stat = await readFile(`/proc/${pid}/stat`, "latin1").catch((error: NodeJS.ErrnoException) => {
        // It ended meanwhile.
        if (error.code === "ENOENT" || error.code === "ESRCH") return undefined;
        throw error;
      });
      if (stat === undefined) return;
      // proc_pid_stat(5): the name in parentheses may hold anything; after it state, ppid, … utime (14th), stime (15th).
      const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
      found.set(Number(pid), { parent: Number(fields[1]), ticks: Number(fields[11]) + Number(fields[12]) });
    }),
  );
  return found;
}
