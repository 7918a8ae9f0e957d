/** One agent a folder: two would write one store and share one name on the broker, each throwing the other out. */
import { link, readFile, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { VedetteError } from "@vedette/protocol/errors";
import { z } from "zod";
import { makeFolder, temporaryPrefix } from "./durable-file.ts";

const holder = z.object({ pid: z.int().min(1), bootId: z.string() });

/**
 * Takes the folder for this process. A lock of a process that is gone, or of an earlier boot, is none.
 * @returns what gives it back.
 * @throws VedetteError conflict naming the process that has it.
 */
export async function lockHome(home: string, bootId: string): Promise<() => Promise<void>> {
  await makeFolder(home);
  const path = join(home, "agent.lock");
  const beside = join(home, `${temporaryPrefix}lock-${process.pid}`);
  await writeFile(beside, JSON.stringify({ pid: process.pid, bootId }));
  try {
    // A link is made whole or not at all, so nobody reads half a lock.
    if (!(await tryLink(beside, path))) {
      const pid = await livingHolder(path, bootId);
      if (pid !== undefined) {
        throw new VedetteError(
          "conflict",
          `${home} is in use by process ${pid}: stop it, or give this agent another --home`,
        );
      }
      await rm(path, { force: true });
      if (!(await tryLink(beside, path))) {
        throw new VedetteError("conflict", `${home} was taken by another agent at this moment`);
      }
    }
  } finally {
    await rm(beside, { force: true });
  }
  return () => rm(path, { force: true });
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "EEXIST") return false;
    throw error;
  }
}

async function livingHolder(path: string, bootId: string): Promise<number | undefined> {
  const parsed = holder.safeParse(await readLock(path));
  // The same pid is this very one: in a container every start may have number 1.
  if (!parsed.success || parsed.data.bootId !== bootId || parsed.data.pid === process.pid) return undefined;
  try {
    process.kill(parsed.data.pid, 0);
    return parsed.data.pid;
  } catch (error) {
    const notOurs = error instanceof Error && "code" in error && error.code === "EPERM";
    return notOurs ? parsed.data.pid : undefined;
  }
}

async function readLock(path: string): Promise<unknown> {
  try {
    return JSON.parse(await readFile(path, "utf8"));
  } catch {
    return undefined; // given back at this moment, or damaged: either way nobody holds it
  }
}
