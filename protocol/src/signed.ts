/**
 * A signed text: the payload is kept as the very text that was signed, so nothing is serialised again to be verified.
 * Ed25519 over `vedette/<type>/1\n<payload>`; the type keeps one kind of signed text from standing in for another.
 */
import { z } from "zod";
import { utf8 } from "./bytes.ts";
import { VedetteError } from "./errors.ts";

export const signedText = z.object({
  payload: z.string().max(256 * 1024),
  signatures: z.array(z.object({ keyid: z.string().max(128), sig: z.string().regex(/^[0-9a-f]{128}$/) })).max(16),
});
export type SignedText = z.infer<typeof signedText>;

/** Public key: 32 bytes of Ed25519 as hex. */
export const ed25519PublicKey = z.string().regex(/^[0-9a-f]{64}$/, "an Ed25519 public key is 64 hex digits");

/** The bytes that a signature of a given type covers. */
export function signedBytes(type: string, payload: string): Uint8Array<ArrayBuffer> {
  return utf8(`vedette/${type}/1\n${payload}`);
}

/**
 * Verifies with a threshold of distinct keys and returns the payload.
 * @throws VedetteError unsigned (no signature), bad_signature (fewer good ones than the threshold).
 */
export async function openSigned(
  type: string,
  envelope: SignedText,
  trusted: { readonly keys: Readonly<Record<string, string>>; readonly threshold: number },
  verify: (publicKeyHex: string, message: Uint8Array<ArrayBuffer>, signatureHex: string) => Promise<boolean>,
): Promise<string> {
  if (envelope.signatures.length === 0) throw new VedetteError("unsigned", `the ${type} carries no signature`);
  const good = new Set<string>();
  const message = signedBytes(type, envelope.payload);
  for (const { keyid, sig } of envelope.signatures) {
    const key = trusted.keys[keyid];
    if (key && !good.has(key) && (await verify(key, message, sig))) good.add(key);
  }
  if (good.size < trusted.threshold) {
    throw new VedetteError(
      "bad_signature",
      `the ${type} has ${good.size} good signatures of ${trusted.threshold} needed: it was not signed by this site`,
    );
  }
  return envelope.payload;
}
