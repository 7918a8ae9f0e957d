/**
 * OpenSSF Model Signing v1.0 beside TUF, so that others can check a version's files without Vedette: a P-256 key, a
 * sigstore bundle v0.3 around a DSSE envelope around an in-toto statement. `model_signing verify key` accepts it.
 */
import { createHash, createPrivateKey, createPublicKey, generateKeyPairSync, type KeyObject, sign } from "node:crypto";
import { mkdir, writeFile } from "node:fs/promises";
import { join } from "node:path";
import type { BundleFile } from "@vedette/protocol/bundle";
import { utf8 } from "@vedette/protocol/bytes";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { readIfThere } from "../durable-file.ts";
import { sha256 } from "../sha256.ts";
import { sealKey, unsealKey } from "./sealed-key.ts";
import type { KeyRing } from "./settle.ts";
import type { ModelSignature } from "./trust-api.ts";

/** The file of the signature beside the model's, as model_signing names it; a verifier passes it over. */
export const signatureFile = "model.sig";
const payloadType = "application/vnd.in-toto+json";

export interface ModelKey {
  /** SPKI PEM. */
  readonly publicKey: string;
  readonly privateKey: KeyObject;
}

/** The P-256 key of a folder, made where there is none; with its public half beside it. */
export async function readOrMakeModelKey({ folder, passphrase }: KeyRing): Promise<ModelKey> {
  const home = join(folder, "model-signing");
  const kept =
    (await readIfThere(join(home, "key.pem"))) ?? (await unsealIfThere(join(home, "key.sealed"), passphrase));
  if (kept !== undefined) return modelKey(createPrivateKey(kept));
  const key = modelKey(generateKeyPairSync("ec", { namedCurve: "P-256" }).privateKey);
  const pem = key.privateKey.export({ type: "pkcs8", format: "pem" }).toString();
  try {
    await mkdir(home, { recursive: true, mode: 0o700 });
    const secret = { mode: 0o600, flag: "wx", flush: true } as const;
    if (passphrase === undefined) await writeFile(join(home, "key.pem"), pem, secret);
    else await writeFile(join(home, "key.sealed"), await sealKey(pem, publicHex(key), passphrase), secret);
    await writeFile(join(home, "public.pem"), key.publicKey);
  } catch (cause) {
    throw new VedetteError("storage_failed", `the model signing key cannot be kept in ${home}: ${messageOf(cause)}`, {
      cause,
    });
  }
  return key;
}

/**
 * Signs a version's files as model_signing's serialization "files" has them: each by its sha256, in the order of names.
 * @param name of the model. @returns the sigstore bundle as JSON, and the key that it verifies by.
 */
export function signModel(name: string, files: readonly BundleFile[], key: ModelKey): ModelSignature {
  const sorted = files.toSorted((a, b) => (a.path < b.path ? -1 : 1));
  const root = createHash("sha256");
  for (const file of sorted) root.update(Buffer.from(file.sha256, "hex"));
  const statement = {
    _type: "https://in-toto.io/Statement/v1",
    subject: [{ name, digest: { sha256: root.digest("hex") } }],
    predicateType: "https://model_signing/signature/v1.0",
    predicate: {
      serialization: {
        method: "files",
        hash_type: "sha256",
        allow_symlinks: false,
        ignore_paths: [signatureFile, ".git", ".gitattributes", ".github", ".gitignore"],
      },
      resources: sorted.map((file) => ({ name: file.path, algorithm: "sha256", digest: file.sha256 })),
    },
  };
  const payload = utf8(JSON.stringify(statement));
  const bundle = {
    mediaType: "application/vnd.dev.sigstore.bundle.v0.3+json",
    verificationMaterial: {
      publicKey: { hint: sha256(key.publicKey) },
      tlogEntries: [],
    },
    dsseEnvelope: {
      payload: Buffer.from(payload).toString("base64"),
      payloadType,
      signatures: [{ sig: sign("sha256", preAuthenticated(payload), key.privateKey).toString("base64"), keyid: "" }],
    },
  };
  return { bundle: JSON.stringify(bundle), publicKey: key.publicKey };
}

/** PAE of DSSE v1: what the signature covers. */
function preAuthenticated(payload: Uint8Array): Buffer {
  const head = `DSSEv1 ${payloadType.length} ${payloadType} ${payload.length} `;
  return Buffer.concat([Buffer.from(head), payload]);
}

function modelKey(privateKey: KeyObject): ModelKey {
  return { privateKey, publicKey: createPublicKey(privateKey).export({ type: "spki", format: "pem" }).toString() };
}

function publicHex({ privateKey }: ModelKey): string {
  return createPublicKey(privateKey).export({ type: "spki", format: "der" }).toString("hex");
}

async function unsealIfThere(path: string, passphrase: string | undefined): Promise<string | undefined> {
  const text = await readIfThere(path);
  return text === undefined ? undefined : unsealKey(text, path, passphrase);
}
