/** Certificate and key from files, read anew when they change: a renewed certificate needs no restart. */
import { createPrivateKey, X509Certificate } from "node:crypto";
import { unwatchFile, watchFile } from "node:fs";
import { readFile } from "node:fs/promises";
import { messageOf, VedetteError } from "@vedette/protocol/errors";

export interface CertificateFiles {
  readonly certFile: string;
  readonly keyFile: string;
}

const lookEveryMs = 1_000;

/** @throws VedetteError invalid_argument where they cannot be read, are no certificate and key, or do not belong together. */
export async function readCertificate({ certFile, keyFile }: CertificateFiles): Promise<{ cert: Buffer; key: Buffer }> {
  try {
    const [cert, key] = await Promise.all([readFile(certFile), readFile(keyFile)]);
    if (!new X509Certificate(cert).checkPrivateKey(createPrivateKey(key))) throw new Error("the key is another's");
    return { cert, key };
  } catch (cause) {
    const why = `certificate ${certFile} and key ${keyFile} cannot be used: ${messageOf(cause)}`;
    throw new VedetteError("invalid_argument", why, { cause });
  }
}

/** By polling, which sees renames on every file system. @returns what ends it. */
export function watchFiles(files: readonly string[], changed: () => Promise<void>): () => void {
  let working: Promise<void> = Promise.resolve();
  const look = (now: { mtimeMs: number; ino: number }, before: { mtimeMs: number; ino: number }): void => {
    if (now.mtimeMs !== before.mtimeMs || now.ino !== before.ino) working = working.then(changed, changed);
  };
  for (const file of files) watchFile(file, { interval: lookEveryMs, persistent: false }, look);
  return () => {
    for (const file of files) unwatchFile(file, look);
  };
}
