/**
 * API keys of this agent: made by `vedette-agent key create`, kept as hashes in the agent's folder, looked up by
 * authenticate.ts. A key is 256 random bits, so one fast hash guards it as well as a slow one would.
 */
import { createHash, randomBytes, timingSafeEqual } from "node:crypto";
import { readFile } from "node:fs/promises";
import { join } from "node:path";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { modelName } from "@vedette/protocol/ids";
import { z } from "zod";
import { writeDurably } from "../durable-file.ts";

const apiKey = z.object({
  id: z.string().regex(/^[0-9a-f]{8}$/),
  name: z.string().min(1).max(64),
  /** sha256 of the whole key, hex. */
  hash: z.string().regex(/^[0-9a-f]{64}$/),
  /** Null: every model, and the metrics. */
  models: z.array(modelName).nullable(),
  /** Its own limits; null: those of the configuration. */
  ratePerSecond: z.number().positive().nullable(),
  concurrent: z.int().positive().nullable(),
  createdAt: z.iso.datetime(),
  expiresAt: z.iso.datetime().nullable(),
  revokedAt: z.iso.datetime().nullable(),
});
export type ApiKey = z.infer<typeof apiKey>;
const keyFile = z.object({ v: z.literal(1), keys: z.array(apiKey).max(10_000) });

export const apiKeyFile = (home: string): string => join(home, "api-keys.json");

/** The keys of a folder, revoked ones too; none where there is no file. @throws VedetteError storage_failed. */
export async function readApiKeys(home: string): Promise<ApiKey[]> {
  const file = apiKeyFile(home);
  try {
    return keyFile.parse(JSON.parse(await readFile(file, "utf8"))).keys;
  } catch (cause) {
    if (cause instanceof Error && "code" in cause && cause.code === "ENOENT") return [];
    const why = cause instanceof z.ZodError ? z.prettifyError(cause) : messageOf(cause);
    throw new VedetteError(
      "storage_failed",
      `${file} cannot be read: ${why}: mend it, or delete it and make new keys`,
      {
        cause,
      },
    );
  }
}

/** @returns the key itself, told this once, and what is kept of it. @throws VedetteError storage_failed. */
export async function createApiKey(
  home: string,
  wanted: Pick<ApiKey, "name" | "models" | "ratePerSecond" | "concurrent" | "expiresAt">,
): Promise<{ key: string; kept: ApiKey }> {
  const keys = await readApiKeys(home);
  const id = randomBytes(4).toString("hex");
  const key = `vk_${id}_${randomBytes(32).toString("base64url")}`;
  const kept: ApiKey = {
    ...wanted,
    id,
    hash: hashOf(key).toString("hex"),
    createdAt: new Date().toISOString(),
    revokedAt: null,
  };
  await write(home, [...keys, kept]);
  return { key, kept };
}

/** By id, or by name where one unrevoked key has it. @throws VedetteError not_found, conflict, storage_failed. */
export async function revokeApiKey(home: string, which: string): Promise<ApiKey> {
  const keys = await readApiKeys(home);
  const found = keys.filter(({ id, name, revokedAt }) => id === which || (name === which && revokedAt === null));
  const [one] = found;
  if (!one) throw new VedetteError("not_found", `no key ${which} here: see vedette agent key list`);
  if (found.length > 1) {
    throw new VedetteError("conflict", `${found.length} keys are named ${which}: say which by its id`);
  }
  const revoked = { ...one, revokedAt: one.revokedAt ?? new Date().toISOString() };
  await write(
    home,
    keys.map((key) => (key.id === one.id ? revoked : key)),
  );
  return revoked;
}

/** The key's record where the text is one of these keys, neither revoked nor expired. */
export function findApiKey(keys: ReadonlyMap<string, ApiKey>, text: string, now: number): ApiKey | undefined {
  const id = /^vk_([0-9a-f]{8})_[A-Za-z0-9_-]{43}$/.exec(text)?.[1];
  const key = id === undefined ? undefined : keys.get(id);
  if (!key || key.revokedAt !== null || !timingSafeEqual(hashOf(text), Buffer.from(key.hash, "hex"))) return undefined;
  return key.expiresAt !== null && Date.parse(key.expiresAt) <= now ? undefined : key;
}

export function hashOf(text: string): Buffer {
  return createHash("sha256").update(text).digest();
}

async function write(home: string, keys: readonly ApiKey[]): Promise<void> {
  const file = apiKeyFile(home);
  try {
    await writeDurably(file, Buffer.from(`${JSON.stringify({ v: 1, keys }, null, 2)}\n`), 0o600);
  } catch (cause) {
    throw new VedetteError("storage_failed", `${file} cannot be written: ${messageOf(cause)}`, { cause });
  }
}
