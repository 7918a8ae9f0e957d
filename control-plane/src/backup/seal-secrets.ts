/**
 * Secrets of a backup under a passphrase: AES-256-GCM with a key by scrypt (N 2^17, r 8, p 1: 128 MiB and about half a
 * second a guess). What is sealed is JSON of file names and contents. The tag also covers what the rest of the backup says it
 * is, so that nobody without the passphrase puts these secrets beside other files, or an operator of theirs among ours.
 *
 *     "VDSEAL2\n" | 16 bytes salt | 12 bytes nonce | 16 bytes tag | sealed
 */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from "node:crypto";
import { promisify } from "node:util";
import { VedetteError } from "@vedette/protocol/errors";
import { z } from "zod";

const magic = Buffer.from("VDSEAL2\n");
const cost = { N: 2 ** 17, r: 8, p: 1, maxmem: 256 * 1024 * 1024 };
const secrets = z.record(
  z
    .string()
    .regex(
      /^(?:operator\.token|online-keys\/[a-z0-9-]+(?:\.next)?\.pem|site-authority\/ca\.(?:crt|key)|(?:sink-tokens|receiver-headers)\/[a-z0-9-]+)$/,
    ),
  z.string(),
);
/** File contents by path. */
export type Secrets = z.infer<typeof secrets>;

const derive = promisify(scrypt) as (
  passphrase: string,
  salt: Buffer,
  bytes: number,
  options: typeof cost,
) => Promise<Buffer>;

/** @param belongsTo what `openSecrets` must be given, too; not in the sealed bytes. */
export async function sealSecrets(plain: Secrets, passphrase: string, belongsTo: Uint8Array): Promise<Buffer> {
  const [salt, nonce] = [randomBytes(16), randomBytes(12)];
  const cipher = createCipheriv("aes-256-gcm", await derive(passphrase.normalize(), salt, 32, cost), nonce);
  cipher.setAAD(belongsTo);
  const sealed = Buffer.concat([cipher.update(JSON.stringify(plain)), cipher.final()]);
  return Buffer.concat([magic, salt, nonce, cipher.getAuthTag(), sealed]);
}

/** @throws VedetteError forbidden where the passphrase is another, or the bytes or what they belong to were changed. */
export async function openSecrets(bytes: Buffer, passphrase: string, belongsTo: Uint8Array): Promise<Secrets> {
  const at = magic.length;
  if (bytes.length < at + 44 || !bytes.subarray(0, at).equals(magic)) {
    throw new VedetteError("unsupported", "the backup's secrets are sealed in a way that this version does not know");
  }
  const key = await derive(passphrase.normalize(), bytes.subarray(at, at + 16), 32, cost);
  const decipher = createDecipheriv("aes-256-gcm", key, bytes.subarray(at + 16, at + 28));
  decipher.setAAD(belongsTo);
  decipher.setAuthTag(bytes.subarray(at + 28, at + 44));
  try {
    const plain = Buffer.concat([decipher.update(bytes.subarray(at + 44)), decipher.final()]);
    return secrets.parse(JSON.parse(plain.toString("utf8")));
  } catch (cause) {
    throw new VedetteError(
      "forbidden",
      "the passphrase does not open the backup: it is another than the one it was made with, or the backup was changed since",
      {
        cause,
      },
    );
  }
}
