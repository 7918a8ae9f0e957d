/** Ed25519 with raw keys as hex: of devices, and of the control plane's own keys. */
import { createPublicKey, verify } from "node:crypto";

/** False for a bad signature or key, never a throw. */
export function verifyEd25519(publicKeyHex: string, message: Uint8Array, signatureHex: string): boolean {
  try {
    const x = Buffer.from(publicKeyHex, "hex").toString("base64url");
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    return verify(null, message, key, Buffer.from(signatureHex, "hex"));
  } catch {
    // Not 32 bytes, or no point of the curve: whoever sent it has signed nothing.
    return false;
  }
}
