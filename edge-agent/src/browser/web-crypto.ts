/**
 * Crypto, Random and the device's key by WebCrypto. The private key is made non-extractable and kept as a CryptoKey in
 * IndexedDB: neither this code nor an injected script can ever read its bytes.
 */
import { sha256 } from "@noble/hashes/sha2.js";
import { fromHex, toHex } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import type { Crypto, DeviceKey, Random } from "../core/ports.ts";
import { openDatabase, requestOf } from "./indexed-db.ts";
import { verifyPem } from "./pem-keys.ts";

const ed25519 = { name: "Ed25519" };

export const webCrypto: Crypto = {
  async sha256(bytes) {
    return toHex(new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)));
  },
  hash: sha256,
  async sha512(bytes) {
    return toHex(new Uint8Array(await crypto.subtle.digest("SHA-512", bytes)));
  },
  async verify(publicKeyHex, message, signatureHex) {
    if (!/^[0-9a-f]{64}$/i.test(publicKeyHex) || !/^[0-9a-f]{128}$/i.test(signatureHex)) return false;
    try {
      const key = await crypto.subtle.importKey("raw", fromHex(publicKeyHex), ed25519, false, ["verify"]);
      return await crypto.subtle.verify(ed25519, key, fromHex(signatureHex), message);
    } catch (error) {
      // A point that is no key is an untrue signature; a browser without Ed25519 is another matter, and said as such.
      if (error instanceof DOMException && error.name === "NotSupportedError") throw noEd25519(error);
      return false;
    }
  },
  verifyPem,
};

export const webRandom: Random = {
  bytes: (length) => crypto.getRandomValues(new Uint8Array(length)),
  unit: () => (crypto.getRandomValues(new Uint32Array(1))[0] as number) / 2 ** 32,
};

/**
 * The key of a home, made at the first call and the same ever after.
 * @throws VedetteError unsupported where the page has no WebCrypto Ed25519, storage_failed.
 */
export async function openDeviceKey(home: string): Promise<DeviceKey> {
  const database = await openDatabase(`${home}-key`, ["keys"]);
  try {
    const kept: unknown = await requestOf(database.transaction("keys").objectStore("keys").get("device"));
    if (isKeyPair(kept)) return await deviceKey(kept);
    const made = await makeKeyPair();
    const transaction = database.transaction("keys", "readwrite", { durability: "strict" });
    await requestOf(transaction.objectStore("keys").add(made, "device"));
    return await deviceKey(made);
  } finally {
    database.close();
  }
}

async function makeKeyPair(): Promise<CryptoKeyPair> {
  // Outside HTTPS and localhost `crypto.subtle` is not there at all.
  const subtle: SubtleCrypto | undefined = crypto.subtle;
  if (!subtle) throw new VedetteError("unsupported", "no WebCrypto here: serve the page by HTTPS or from localhost");
  try {
    const made = await subtle.generateKey(ed25519, false, ["sign", "verify"]);
    if (isKeyPair(made)) return made;
  } catch (cause) {
    throw noEd25519(cause);
  }
  throw noEd25519();
}

async function deviceKey(pair: CryptoKeyPair): Promise<DeviceKey> {
  const publicKeyHex = toHex(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
  return {
    publicKeyHex,
    sign: async (message) => toHex(new Uint8Array(await crypto.subtle.sign(ed25519, pair.privateKey, message))),
  };
}

function isKeyPair(value: unknown): value is CryptoKeyPair {
  return typeof value === "object" && value !== null && "privateKey" in value && "publicKey" in value;
}

function noEd25519(cause?: unknown): VedetteError {
  return new VedetteError("unsupported", "this browser has no Ed25519 in WebCrypto: update it", { cause });
}
