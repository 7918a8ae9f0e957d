/**
 * The operators' keys: Ed25519, one file each under `<home>/keys`, readable by their owner alone: `<name>.pem`, or
 * `<name>.key` where a passphrase keeps it. They sign what devices may install and never leave this machine: the control
 * plane is sent signatures only. Which key signs what is the metadata's to say; a file's name is for people.
 */
import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdir, readdir, readFile, writeFile } from "node:fs/promises";
import { join } from "node:path";
import { fromHex, toHex } from "@vedette/protocol/bytes";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { sha256 } from "../sha256.ts";
import { publicPartOf, sealKey, unsealKey } from "./sealed-key.ts";

export interface PublicKey {
  /** Who holds it, for people. */
  readonly name: string;
  /** 32 bytes, hex. */
  readonly publicKey: string;
  /** sha256 of the 32 bytes of the public key, hex. */
  readonly keyid: string;
}
export interface OfflineKey extends PublicKey {
  /** Ed25519, hex. */
  sign(message: Uint8Array): string;
}
/** A key that lies here; it is opened when something is to be signed. */
export interface KeyFile extends PublicKey {
  readonly encrypted: boolean;
  /** @throws VedetteError forbidden where the passphrase is missing or wrong. */
  open(): Promise<OfflineKey>;
}

/** sha256 of the 32 bytes of a public key, hex. */
export function keyidOf(publicKey: string): string {
  return sha256(fromHex(publicKey));
}

/** Every key of a folder, by name. @throws VedetteError storage_failed where a file holds none. */
export async function listKeys(folder: string, passphrase?: string): Promise<KeyFile[]> {
  const files = (await entriesOf(folder)).filter((file) => /^[^.].*\.(pem|key)$/.test(file)).sort();
  return Promise.all(files.map((file) => keyFile(folder, file, passphrase)));
}

/** @throws VedetteError not_found where there is no such key here; storage_failed where the file holds none. */
export async function readKey(folder: string, name: string, passphrase?: string): Promise<OfflineKey> {
  const key = await findKey(folder, name, passphrase);
  if (key) return key.open();
  throw new VedetteError(
    "not_found",
    `there is no key ${join(folder, `${name}.pem`)}: run this where the key is kept, or copy it here (mode 0600)`,
  );
}

/** The key of this name, made where there is none. An existing file is never written over. */
export async function readOrMakeKey(folder: string, name: string, passphrase?: string): Promise<OfflineKey> {
  return (await findKey(folder, name, passphrase))?.open() ?? makeKey(folder, name, passphrase);
}

/**
 * A new key, kept by a passphrase where there is one, and its public half as `<name>.pub`, for others to name in theirs.
 * @throws VedetteError conflict where there is a key of this name.
 */
export async function makeKey(folder: string, name: string, passphrase?: string): Promise<OfflineKey> {
  if (await findKey(folder, name, passphrase)) {
    throw new VedetteError("conflict", `there is a key ${name} in ${folder} already: choose another name`);
  }
  const { privateKey } = generateKeyPairSync("ed25519");
  const key = offlineKey(name, privateKey);
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  const sealed = passphrase === undefined ? undefined : await sealKey(pem, key.publicKey, passphrase);
  try {
    await mkdir(folder, { recursive: true, mode: 0o700 });
    const secret = { mode: 0o600, flag: "wx", flush: true } as const;
    await writeFile(join(folder, sealed === undefined ? `${name}.pem` : `${name}.key`), sealed ?? pem, secret);
  } catch (cause) {
    throw new VedetteError("storage_failed", `the key ${name} cannot be kept in ${folder}: ${messageOf(cause)}`, {
      cause,
    });
  }
  return key;
}

/** Writes the public half for others. @returns the path. */
export async function writePublicKey(folder: string, { name, publicKey }: PublicKey): Promise<string> {
  const path = join(folder, `${name}.pub`);
  await writeFile(path, `${publicKey} ${name}\n`, { mode: 0o644 });
  return path;
}

/** A public key as `writePublicKey` writes it. @throws VedetteError invalid_argument. */
export async function readPublicKey(path: string): Promise<PublicKey> {
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new VedetteError("invalid_argument", `the public key ${path} cannot be read: ${messageOf(cause)}`, { cause });
  });
  const [, publicKey, name] = /^([0-9a-f]{64}) ([A-Za-z0-9._@-]{1,63})\s*$/.exec(text) ?? [];
  if (publicKey !== undefined && name !== undefined) return { name, publicKey, keyid: keyidOf(publicKey) };
  throw new VedetteError("invalid_argument", `${path} is no public key: it is a file that \`vedette keys make\` wrote`);
}

async function findKey(folder: string, name: string, passphrase?: string): Promise<KeyFile | undefined> {
  const file = (await entriesOf(folder)).find((one) => one === `${name}.pem` || one === `${name}.key`);
  return file === undefined ? undefined : keyFile(folder, file, passphrase);
}

async function keyFile(folder: string, file: string, passphrase: string | undefined): Promise<KeyFile> {
  const path = join(folder, file);
  const name = file.replace(/\.(pem|key)$/, "");
  const text = await readFile(path, "utf8").catch((cause: unknown) => {
    throw new VedetteError("storage_failed", `the key ${path} cannot be read: ${messageOf(cause)}`, { cause });
  });
  if (file.endsWith(".key")) {
    const publicKey = publicPartOf(text, path);
    const open = async () => offlineKey(name, createPrivateKey(await unsealKey(text, path, passphrase)));
    return { name, publicKey, keyid: keyidOf(publicKey), encrypted: true, open };
  }
  try {
    const key = createPrivateKey(text);
    if (key.asymmetricKeyType !== "ed25519") throw new TypeError(`the key is ${key.asymmetricKeyType}, not ed25519`);
    const opened = offlineKey(name, key);
    return { ...opened, encrypted: false, open: async () => opened };
  } catch (cause) {
    throw new VedetteError("storage_failed", `${path} holds no Ed25519 private key: restore it from a copy`, { cause });
  }
}

async function entriesOf(folder: string): Promise<string[]> {
  try {
    return await readdir(folder);
  } catch (cause) {
    if ((cause as NodeJS.ErrnoException).code === "ENOENT") return [];
    throw new VedetteError("storage_failed", `the keys in ${folder} cannot be read: ${messageOf(cause)}`, { cause });
  }
}

function offlineKey(name: string, key: KeyObject): OfflineKey {
  // An Ed25519 SPKI ends in the 32 bytes of the key.
  const publicKey = toHex(createPublicKey(key).export({ type: "spki", format: "der" }).subarray(-32));
  return { name, publicKey, keyid: keyidOf(publicKey), sign: (message) => sign(null, message, key).toString("hex") };
}
