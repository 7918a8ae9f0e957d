/**
 * What the operators signed, kept beside their keys as `<home>/keys/metadata/<version>.<role>.json`. The next version is
 * made from this copy and never from what the control plane says: nobody signs what they did not sign before.
 */
import { mkdir, readdir, readFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { writeWhole } from "../durable-file.ts";
import { versionOf } from "./trust-metadata.ts";

/**
 * The text of a role at the version that the control plane serves.
 * @throws VedetteError conflict where it was signed elsewhere.
 */
export async function readSigned(keys: string, role: string, version: number): Promise<string> {
  const path = join(keys, "metadata", `${version}.${role}.json`);
  try {
    return await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code !== "ENOENT") {
      throw new VedetteError("storage_failed", `${path} cannot be read: ${messageOf(cause)}`, { cause });
    }
    throw new VedetteError(
      "conflict",
      `the control plane serves ${role} version ${version}, and ${path} is not here: it was signed from another folder; ` +
        "publish from there, copy its keys/metadata over, or take it from the control plane: vedette keys sync",
      { cause },
    );
  }
}

/**
 * Keeps a text before it is sent: should the answer get lost, the next run finds what the control plane then serves. One
 * that was never accepted is written over by the next of its number.
 */
export async function keepSigned(keys: string, role: string, text: string): Promise<void> {
  const folder = join(keys, "metadata");
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    await writeWhole(join(folder, `${versionOf(text)}.${role}.json`), text);
  } catch (cause) {
    throw new VedetteError("storage_failed", `signed metadata cannot be kept in ${folder}: ${messageOf(cause)}`, {
      cause,
    });
  }
}

/** The newest text of a role that is kept here; undefined where there is none. */
export async function newestKept(keys: string, role: string): Promise<string | undefined> {
  const folder = join(keys, "metadata");
  const names = await readdir(folder).catch((cause: unknown) => {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new VedetteError("storage_failed", `${folder} cannot be read: ${messageOf(cause)}`, { cause });
  });
  const versions = names.flatMap((name) => {
    const [, number, of] = /^([0-9]+)\.(.+)\.json$/.exec(name) ?? [];
    return of === role ? [Number(number)] : [];
  });
  return versions.length === 0 ? undefined : readSigned(keys, role, Math.max(...versions));
}
