/**
 * The keys that the control plane itself holds, made at its first start: they can say what is new and who should run
 * what, never what a bundle is. Keys that sign bundles stay offline with the operators.
 */

import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdir, open, readFile, rename } from "node:fs/promises";
import { join } from "node:path";
import { VedetteError } from "@vedette/protocol/errors";

export interface SigningKey {
  /** 32 bytes of Ed25519, hex. */
  readonly publicKeyHex: string;
  /** sha256 of the 32 key bytes, hex. */
  readonly keyid: string;
  readonly privateKey: KeyObject;
  /** Ed25519, hex. */
  sign(message: Uint8Array): string;
}
export interface OnlineKeys {
  readonly snapshot: SigningKey;
  readonly timestamp: SigningKey;
  /** Signs assignments. */
  readonly director: SigningKey;
  /** Signs the one-hour tokens by which devices log in. */
  readonly deviceTokens: SigningKey;
}

/** Reads the keys of a folder, and makes those that are not there (PKCS8 PEM, mode 0600). */
export async function openOnlineKeys(folder: string): Promise<OnlineKeys> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  return {
    snapshot: await openKey(join(folder, "snapshot.pem")),
    timestamp: await openKey(join(folder, "timestamp.pem")),
    director: await openKey(join(folder, "director.pem")),
    deviceTokens: await openKey(join(folder, "device-tokens.pem")),
  };
}

async function openKey(path: string): Promise<SigningKey> {
  const pem = (await readIfThere(path)) ?? (await makeKey(path));
  try {
    return signingKey(createPrivateKey(pem));
  } catch (cause) {
    throw new VedetteError("storage_failed", `${path} is no Ed25519 key in PKCS8 PEM: restore it from a backup`, {
      cause,
    });
  }
}

/** @throws TypeError where the key is not Ed25519. */
function signingKey(privateKey: KeyObject): SigningKey {
  const { crv, x } = createPublicKey(privateKey).export({ format: "jwk" });
  if (crv !== "Ed25519" || x === undefined) throw new TypeError("not Ed25519");
  const raw = Buffer.from(x, "base64url");
  return {
    publicKeyHex: raw.toString("hex"),
    keyid: createHash("sha256").update(raw).digest("hex"),
    privateKey,
    sign: (message) => sign(null, message, privateKey).toString("hex"),
  };
}

async function readIfThere(path: string): Promise<string | undefined> {
  try {
    return await readFile(path, "utf8");
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
    throw new VedetteError("storage_failed", `${path} cannot be read`, { cause: error });
  }
}

async function makeKey(path: string): Promise<string> {
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  // Renamed when complete: a crash must not leave half a key that the next start cannot read.
  const draft = await open(`${path}.tmp`, "w", 0o600);
  try {
    await draft.writeFile(pem);
    await draft.sync();
  } finally {
    await draft.close();
  }
  await rename(`${path}.tmp`, path);
  return pem;
}
