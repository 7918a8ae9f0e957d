/** Ed25519 with raw keys as hex, as devices send them. */
import { createPublicKey, type KeyObject, verify } from "node:crypto";

/** Opening a key takes four times as long as using it, and the same devices come again and again. */
const opened = new Map<string, KeyObject>();
const mostOpened = 10_000;

/** False for a bad signature or key, never a throw. */
export function verifyEd25519(publicKeyHex: string, message: Uint8Array, signatureHex: string): boolean {
  try {
    return verify(null, message, openKey(publicKeyHex), Buffer.from(signatureHex, "hex"));
  } catch {
    // Not 32 bytes, or no point of the curve: whoever sent it has signed nothing.
    return false;
  }
}

function openKey(publicKeyHex: string): KeyObject {
  const before = opened.get(publicKeyHex);
  if (before) return before;
  const x = Buffer.from(publicKeyHex, "hex").toString("base64url");
  const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
  const [oldest] = opened.keys();
  if (opened.size >= mostOpened && oldest !== undefined) opened.delete(oldest);
  opened.set(publicKeyHex, key);
  return key;
}
