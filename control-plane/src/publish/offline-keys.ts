/**
 * The operators' keys: Ed25519, one PEM file each under `<home>/keys`, readable by their owner alone. They sign what
 * devices may install and never leave this machine: the control plane is sent signatures only.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fromHex, toHex } from "@vedette/protocol/bytes";
import { messageOf, VedetteError } from "@vedette/protocol/errors";

export interface OfflineKey {
  /** 32 bytes, hex. */
  readonly publicKey: string;
  /** sha256 of the 32 bytes of the public key, hex. */
  readonly keyid: string;
  /** Ed25519, hex. */
  sign(message: Uint8Array): string;
}

/** sha256 of the 32 bytes of a public key, hex. */
export function keyidOf(publicKey: string): string {
  return createHash("sha256").update(fromHex(publicKey)).digest("hex");
}

/** @throws VedetteError not_found where there is no such key here; storage_failed where the file holds none. */
export async function readKey(folder: string, name: string): Promise<OfflineKey> {
  const key = await findKey(folder, name);
  if (key) return key;
  throw new VedetteError(
    "not_found",
    `there is no key ${join(folder, `${name}.pem`)}: run this where the key is kept, or copy it here (mode 0600)`,
  );
}

/** The key of this name, made where there is none. An existing file is never written over. */
export async function readOrMakeKey(folder: string, name: string): Promise<OfflineKey> {
  const there = await findKey(folder, name);
  if (there) return there;
  const { privateKey } = generateKeyPairSync("ed25519");
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const pem = privateKey.export({ type: "pkcs8", format: "pem" });
    await writeFile(join(folder, `${name}.pem`), pem, { mode: 0o600, flag: "wx", flush: true });
  } catch (cause) {
    throw new VedetteError("storage_failed", `the key ${name} cannot be kept in ${folder}: ${messageOf(cause)}`, {
      cause,
    });
  }
  return offlineKey(privateKey);
}

async function findKey(folder: string, name: string): Promise<OfflineKey | undefined> {
  const path = join(folder, `${name}.pem`);
  let pem: string;
  try {
    pem = await readFile(path, "utf8");
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return undefined;
    throw new VedetteError("storage_failed", `the key ${path} cannot be read: ${messageOf(cause)}`, { cause });
  }
  try {
    const key = createPrivateKey(pem);
    if (key.asymmetricKeyType !== "ed25519") throw new TypeError(`the key is ${key.asymmetricKeyType}, not ed25519`);
    return offlineKey(key);
  } catch (cause) {
    throw new VedetteError("storage_failed", `${path} holds no Ed25519 private key: restore it from a copy`, { cause });
  }
}

function offlineKey(key: KeyObject): OfflineKey {
  // An Ed25519 SPKI ends in the 32 bytes of the key.
  const publicKey = toHex(createPublicKey(key).export({ type: "spki", format: "der" }).subarray(-32));
  return { publicKey, keyid: keyidOf(publicKey), sign: (message) => sign(null, message, key).toString("hex") };
}
