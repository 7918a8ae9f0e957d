/**
 * A private key kept by a passphrase: scrypt (RFC 7914) makes the key of AES-256-GCM, which also covers the public half,
 * so that a file cannot be relabelled. PEM's own encryption is no match: its PBKDF2 makes 2,048 rounds.
 */
import { createCipheriv, createDecipheriv, randomBytes, scrypt } from "node:crypto";
import { VedetteError } from "@vedette/protocol/errors";
import { z } from "zod";

const base64 = z.string().regex(/^[A-Za-z0-9+/]+=*$/);
const sealedKey = z.object({
  format: z.literal("vedette.key/1"),
  /** In clear, as hex: whose key it is can be told without the passphrase. */
  publicKey: z.string().regex(/^[0-9a-f]{64,400}$/),
  /** 2^17 rounds take about half a second and 128 MiB: RFC 7914 and OWASP's advice for interactive use. */
  scrypt: z.object({
    N: z
      .int()
      .min(2 ** 14)
      .max(2 ** 20),
    r: z.int().min(1).max(32),
    p: z.int().min(1).max(16),
    salt: base64,
  }),
  iv: base64,
  tag: base64,
  data: base64,
});
type SealedKey = z.infer<typeof sealedKey>;

/** @param pem the private key. @param publicKey hex. @returns the text of the file. */
export async function sealKey(pem: string, publicKey: string, passphrase: string): Promise<string> {
  const kdf = { N: 2 ** 17, r: 8, p: 1, salt: randomBytes(16).toString("base64") };
  const iv = randomBytes(12);
  const cipher = createCipheriv("aes-256-gcm", await derive(passphrase, kdf), iv);
  cipher.setAAD(Buffer.from(publicKey));
  const data = Buffer.concat([cipher.update(pem, "utf8"), cipher.final()]).toString("base64");
  const sealed: SealedKey = {
    format: "vedette.key/1",
    publicKey,
    scrypt: kdf,
    iv: iv.toString("base64"),
    tag: cipher.getAuthTag().toString("base64"),
    data,
  };
  return `${JSON.stringify(sealed, null, 2)}\n`;
}

/** The public half, hex, which needs no passphrase. @throws VedetteError storage_failed. */
export function publicPartOf(text: string, path: string): string {
  return parse(text, path).publicKey;
}

/** The private key as PEM. @throws VedetteError forbidden where the passphrase is missing or wrong. */
export async function unsealKey(text: string, path: string, passphrase: string | undefined): Promise<string> {
  const sealed = parse(text, path);
  if (passphrase === undefined) {
    throw new VedetteError("forbidden", `${path} needs its passphrase: --passphrase-file, or VEDETTE_PASSPHRASE`);
  }
  const decipher = createDecipheriv("aes-256-gcm", await derive(passphrase, sealed.scrypt), decode(sealed.iv));
  decipher.setAAD(Buffer.from(sealed.publicKey));
  decipher.setAuthTag(decode(sealed.tag));
  try {
    return Buffer.concat([decipher.update(decode(sealed.data)), decipher.final()]).toString("utf8");
  } catch (cause) {
    throw new VedetteError("forbidden", `the passphrase does not open ${path}`, { cause });
  }
}

function parse(text: string, path: string): SealedKey {
  try {
    return sealedKey.parse(JSON.parse(text));
  } catch (cause) {
    throw new VedetteError("storage_failed", `${path} holds no key: restore it from a copy`, { cause });
  }
}

function derive(passphrase: string, { N, r, p, salt }: SealedKey["scrypt"]): Promise<Buffer> {
  // Node refuses what needs more than it is told it may take.
  const options = { N, r, p, maxmem: 256 * N * r };
  return new Promise((resolve, reject) => {
    scrypt(passphrase.normalize("NFKC"), decode(salt), 32, options, (error, key) =>
      error ? reject(error) : resolve(key),
    );
  });
}

function decode(text: string): Buffer {
  return Buffer.from(text, "base64");
}
