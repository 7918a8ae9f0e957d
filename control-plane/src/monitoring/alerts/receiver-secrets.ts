/**
 * What only receivers may know: their whole addresses, whose paths are often keys (Slack, Teams), and the headers that are
 * sent along. A file each that only its owner reads; the database, answers, logs and the audit have scheme and host alone.
 */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { VedetteError } from "@vedette/protocol/errors";
import { z } from "zod";
import type { Database } from "../../db/database.ts";
import { readIfThere, writeWhole } from "../../durable-file.ts";

export interface ReceiverSecrets {
  readonly url: string;
  readonly headers: Readonly<Record<string, string>>;
}

const headers = z.record(z.string(), z.string());
/** Before addresses were kept here, too, a file had the headers alone. */
const file = z.union([
  z.strictObject({ url: z.url(), headers }),
  headers.transform((old) => ({ url: null, headers: old })),
]);

/** @throws VedetteError not_found where the address is not here, as after a backup that was restored without its secrets. */
export async function readSecrets(folder: string, receiver: string): Promise<ReceiverSecrets> {
  const found = await readFile(folder, receiver);
  const { url = null } = found ?? {};
  if (found && url !== null) return { ...found, url };
  const why = `the address of ${receiver} is not here: a backup was restored without its secrets`;
  throw new VedetteError("not_found", `${why}. Remove the receiver, and add it again`);
}

/** Whether it is sent headers of its own. */
export async function hasHeaders(folder: string, receiver: string): Promise<boolean> {
  return Object.keys((await readFile(folder, receiver))?.headers ?? {}).length > 0;
}

export async function writeSecrets(folder: string, receiver: string, secrets: ReceiverSecrets): Promise<void> {
  await writeWhole(join(folder, receiver), JSON.stringify(secrets));
}

export async function forgetSecrets(folder: string, receiver: string): Promise<void> {
  await rm(join(folder, receiver), { force: true });
}

/** An address as it may be shown: `https://hooks.example/…`. */
export function shownAddress(url: string): string {
  const { origin, pathname, search, hash } = new URL(url);
  return `${origin}/${pathname === "/" && search === "" && hash === "" ? "" : "…"}`;
}

/** Takes addresses of before out of the database, where they were in clear. Killed at any point, the next start does the rest. */
export async function moveAddresses(folder: string, alerts: Database["alerts"]): Promise<void> {
  for (const { name, url } of await alerts.receivers()) {
    const shown = shownAddress(url);
    if (url === shown) continue;
    const kept = await readFile(folder, name);
    if (!kept?.url) await writeSecrets(folder, name, { url, headers: kept?.headers ?? {} });
    await alerts.hideAddress(name, shown);
  }
}

async function readFile(folder: string, receiver: string) {
  const text = await readIfThere(join(folder, receiver));
  return text === undefined ? undefined : file.parse(JSON.parse(text));
}
