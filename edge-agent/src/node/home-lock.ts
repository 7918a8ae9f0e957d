/** One agent a folder: two would write one store and share one name on the broker, each throwing the other out. */
import { randomUUID } from "node:crypto";
import { link, readFile, rename, rm, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { VedetteError } from "@vedette/protocol/errors";
import { z } from "zod";
import { makeFolder, temporaryPrefix } from "./durable-file.ts";

const holder = z.object({ pid: z.int().min(1), bootId: z.string(), process: z.string().optional() });
type Holder = z.infer<typeof holder>;

/** Tells this process from an earlier one of the same pid: in a container every start may have number 1. */
const thisProcess = randomUUID();

/**
 * Takes the folder for this process. A lock of a process that is gone, or of an earlier boot, is none.
 * @returns what gives it back.
 * @throws VedetteError conflict naming the process that has it.
 */
export async function lockHome(home: string, bootId: string): Promise<() => Promise<void>> {
  await makeFolder(home);
  const path = join(home, "agent.lock");
  const me: Holder = { pid: process.pid, bootId, process: thisProcess };
  const other = await take(path, me);
  if (other) {
    throw new VedetteError(
      "conflict",
      `${home} is in use by process ${other.pid}: stop it, or give this agent another --home`,
    );
  }
  return () => rm(path, { force: true });
}

/**
 * Null where the lock is taken now, else who has it. Of those that find a dead lock at the same moment one may replace it:
 * who holds the lock of replacing, which is of the same kind, since its holder too may be killed.
 */
async function take(path: string, me: Holder): Promise<Holder | null> {
  const beside = join(path, "..", `${temporaryPrefix}lock-${randomUUID()}`);
  await writeFile(beside, JSON.stringify(me));
  try {
    for (;;) {
      // A link is made whole or not at all, so nobody reads half a lock.
      if (await tryLink(beside, path)) return null;
      const found = await holderOf(path, me);
      if (found === "free") continue;
      if (found !== "dead") return found;
      const replacing = `${path}.replacing`;
      const ahead = await take(replacing, me);
      if (ahead) return ahead;
      try {
        // Nobody else replaces it now, and its holder cannot give it back.
        if ((await holderOf(path, me)) === "dead") {
          await rename(beside, path);
          return null;
        }
      } finally {
        await rm(replacing, { force: true });
      }
    }
  } finally {
    await rm(beside, { force: true });
  }
}

async function tryLink(from: string, to: string): Promise<boolean> {
  try {
    await link(from, to);
    return true;
  } catch (error) {
    if (hasCode(error, "EEXIST")) return false;
    throw error;
  }
}

/** The living process that has a lock; `dead` where it is gone or the lock is damaged, `free` where there is none. */
async function holderOf(path: string, me: Holder): Promise<Holder | "dead" | "free"> {
  const text = await readLock(path);
  if (text === undefined) return "free";
  const parsed = parseHolder(text);
  if (parsed === undefined || parsed.bootId !== me.bootId) return "dead";
  if (parsed.pid === me.pid) return parsed.process === me.process ? parsed : "dead";
  try {
    process.kill(parsed.pid, 0);
    return parsed;
  } catch (error) {
    return hasCode(error, "EPERM") ? parsed : "dead"; // another user's process
  }
}

async function readLock(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (hasCode(error, "ENOENT")) return undefined;
    throw error;
  }
}

function parseHolder(text: string): Holder | undefined {
  try {
    return holder.parse(JSON.parse(text));
  } catch {
    return undefined; // damaged: nobody can be said to hold it
  }
}

function hasCode(error: unknown, code: string): boolean {
  return error instanceof Error && "code" in error && error.code === code;
}
