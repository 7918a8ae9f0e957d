/** Ports Crypto and DeviceKey on node:crypto. The device's key is a PKCS8 file that only its owner may read. */
import {
  constants,
  createHash,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  hash,
  type KeyObject,
  sign,
  verify,
} from "node:crypto";
import { readFile, stat } from "node:fs/promises";
import { fromHex, toHex, utf8 } from "@vedette/protocol/bytes";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { ed25519PublicKey } from "@vedette/protocol/signed";
import type { Crypto, DeviceKey } from "../core/ports.ts";
import { writeDurably } from "./durable-file.ts";

/** TUF schemes beyond Ed25519 (TUF specification 1.0, section 4.2), as root keys of other tools and HSMs have them. */
const pemSchemes: Readonly<Record<string, { type: string; padding?: number; saltLength?: number }>> = {
  "rsassa-pss-sha256": {
    type: "rsa",
    padding: constants.RSA_PKCS1_PSS_PADDING,
    saltLength: constants.RSA_PSS_SALTLEN_AUTO,
  },
  "ecdsa-sha2-nistp256": { type: "ec" },
};

export const nodeCrypto: Crypto = {
  sha256: async (bytes) => createHash("sha256").update(bytes).digest("hex"),
  hash: (bytes) => hash("sha256", bytes, "buffer"),
  sha512: async (bytes) => createHash("sha512").update(bytes).digest("hex"),
  async verify(publicKeyHex, message, signatureHex) {
    if (!ed25519PublicKey.safeParse(publicKeyHex).success || !/^[0-9a-f]{128}$/.test(signatureHex)) return false;
    try {
      const x = Buffer.from(publicKeyHex, "hex").toString("base64url");
      const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
      return verify(null, message, key, fromHex(signatureHex));
    } catch {
      return false; // 32 bytes that are no point of the curve: the port promises false, never a throw
    }
  },
  async verifyPem(scheme, publicKeyPem, message, signatureHex) {
    const known = pemSchemes[scheme];
    if (!known) return undefined;
    const { type, ...options } = known;
    try {
      const key = createPublicKey(publicKeyPem);
      return key.asymmetricKeyType === type && verify("sha256", message, { key, ...options }, fromHex(signatureHex));
    } catch {
      return false; // no key, or one of another kind than the scheme says
    }
  },
};

/**
 * Reads the device's key, or makes it at the first start.
 * @throws VedetteError storage_failed where it cannot be read or written, forbidden where others may read it.
 */
export async function openDeviceKey(path: string): Promise<DeviceKey> {
  const privateKey = await readKey(path);
  const publicKeyHex = Buffer.from(createPublicKey(privateKey).export({ format: "jwk" }).x ?? "", "base64url").toString(
    "hex",
  );
  return { publicKeyHex, sign: async (message) => toHex(sign(null, message, privateKey)) };
}

async function readKey(path: string): Promise<KeyObject> {
  try {
    const found = await stat(path).catch((error: NodeJS.ErrnoException) => {
      if (error.code === "ENOENT") return undefined;
      throw error;
    });
    if (!found) {
      const { privateKey } = generateKeyPairSync("ed25519");
      await writeDurably(path, utf8(privateKey.export({ type: "pkcs8", format: "pem" }).toString()), 0o600);
      return privateKey;
    }
    if (process.platform !== "win32" && (found.mode & 0o077) !== 0) {
      throw new VedetteError("forbidden", `others may read the device's key ${path}: run chmod 600 on it`);
    }
    const key = createPrivateKey(await readFile(path));
    if (key.asymmetricKeyType !== "ed25519") throw new Error(`it is ${key.asymmetricKeyType}, not Ed25519`);
    return key;
  } catch (cause) {
    if (cause instanceof VedetteError) throw cause;
    throw new VedetteError(
      "storage_failed",
      `the device's key ${path} cannot be used (${messageOf(cause)}): restore it, or remove it and enrol anew under another name`,
      { cause },
    );
  }
}
