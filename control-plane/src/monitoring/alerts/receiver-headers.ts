/** What is sent along to receivers: secrets, in a file each that only its owner reads; never in the database or a log. */
import { rm } from "node:fs/promises";
import { join } from "node:path";
import { z } from "zod";
import { readIfThere, writeWhole } from "../../durable-file.ts";

export type Headers = Readonly<Record<string, string>>;

export async function readHeaders(folder: string, receiver: string): Promise<Headers> {
  const text = await readIfThere(join(folder, receiver));
  return text === undefined ? {} : z.record(z.string(), z.string()).parse(JSON.parse(text));
}

export async function writeHeaders(folder: string, receiver: string, headers: Headers | undefined): Promise<void> {
  const file = join(folder, receiver);
  if (headers === undefined) await rm(file, { force: true });
  else await writeWhole(file, JSON.stringify(headers));
}
