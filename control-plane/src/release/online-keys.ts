/**
 * The keys that the control plane itself holds, made at its first start: they can say what is new and who should run
 * what, never what a bundle is. Keys that sign bundles stay offline with the operators.
 */

import { createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdir, rename } from "node:fs/promises";
import { join } from "node:path";
import { VedetteError } from "@vedette/protocol/errors";
import { readIfThere, syncFolder, writeWhole } from "../durable-file.ts";
import { sha256 } from "../sha256.ts";

export interface SigningKey {
  /** 32 bytes of Ed25519, hex. */
  readonly publicKeyHex: string;
  /** sha256 of the 32 key bytes, hex. */
  readonly keyid: string;
  readonly privateKey: KeyObject;
  /** Ed25519, hex. */
  sign(message: Uint8Array): string;
}
/** Roles whose key counts once signed metadata name it: root those of snapshot and timestamp, targets the director's. */
export const namedRoles = ["snapshot", "timestamp", "director"] as const;
export type NamedRole = (typeof namedRoles)[number];

/** Keys that are made before they count; the gate's counts once what it said before is said anew by it. */
type StagedRole = NamedRole | "gate";

/** The keys of the moment. */
export interface OnlineKeys {
  readonly snapshot: SigningKey;
  readonly timestamp: SigningKey;
  /** Signs assignments. */
  readonly director: SigningKey;
  /** Signs the one-hour tokens by which devices log in. */
  readonly deviceTokens: SigningKey;
  /** Signs the prediction batches of models that are served elsewhere. */
  readonly watch: SigningKey;
  /** Signs what the gate found of a version, and who let it pass all the same. */
  readonly gate: SigningKey;
  /** Made, and waiting: for the metadata that name them, the gate's for its reports. */
  readonly next: Readonly<Partial<Record<StagedRole, SigningKey>>>;
  /** Makes the next key of a role; where there is one already, that one. */
  stage(role: StagedRole): Promise<SigningKey>;
  /** The key that waits takes the place of the one that was; the old one is gone from the disk. */
  promote(role: StagedRole): Promise<void>;
  /** A new key for device tokens, at once: those given before hold no more. */
  renewDeviceTokens(): Promise<SigningKey>;
}

/** Reads the keys of a folder, and makes those that are not there (PKCS8 PEM, mode 0600). */
export async function openOnlineKeys(folder: string): Promise<OnlineKeys> {
  await mkdir(folder, { recursive: true, mode: 0o700 });
  const file = (name: string) => join(folder, `${name}.pem`);
  const keys = {
    snapshot: await openKey(file("snapshot")),
    timestamp: await openKey(file("timestamp")),
    director: await openKey(file("director")),
    deviceTokens: await openKey(file("device-tokens")),
    watch: await openKey(file("watch")),
    gate: await openKey(file("gate")),
  };
  const next: Partial<Record<StagedRole, SigningKey>> = {};
  for (const role of [...namedRoles, "gate"] as const) {
    if ((await readIfThere(file(`${role}.next`))) !== undefined) next[role] = await openKey(file(`${role}.next`));
  }
  return {
    get snapshot() {
      return keys.snapshot;
    },
    get timestamp() {
      return keys.timestamp;
    },
    get director() {
      return keys.director;
    },
    get deviceTokens() {
      return keys.deviceTokens;
    },
    watch: keys.watch,
    get gate() {
      return keys.gate;
    },
    next,
    async stage(role) {
      const key = await openKey(file(`${role}.next`));
      next[role] = key;
      return key;
    },
    async promote(role) {
      const key = next[role];
      if (!key) return;
      await rename(file(`${role}.next`), file(role));
      await syncFolder(folder);
      keys[role] = key;
      delete next[role];
    },
    async renewDeviceTokens() {
      keys.deviceTokens = signingKey(createPrivateKey(await makeKey(file("device-tokens"))));
      return keys.deviceTokens;
    },
  };
}

/** The key that signed metadata name: the one at hand, or the one that waits. Undefined where they name neither. */
export function keyNamed(keys: OnlineKeys, role: NamedRole, named: readonly string[]): SigningKey | undefined {
  return [keys[role], keys.next[role]].find((key) => key && named.includes(key.publicKeyHex));
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
    keyid: sha256(raw),
    privateKey,
    sign: (message) => sign(null, message, privateKey).toString("hex"),
  };
}

async function makeKey(path: string): Promise<string> {
  const { privateKey } = generateKeyPairSync("ed25519");
  const pem = privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  // Whole or not at all: a crash must not leave half a key that the next start cannot read.
  await writeWhole(path, pem);
  return pem;
}
