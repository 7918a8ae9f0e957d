/** TUF keys beyond Ed25519 on WebCrypto (TUF specification 1.0, section 4.2), for roots that other tools or HSMs sign. */
import { fromHex } from "@vedette/protocol/bytes";

interface Scheme {
  readonly import: RsaHashedImportParams | EcKeyImportParams;
  readonly verify: RsaPssParams | EcdsaParams;
  /** From the form of the standard to WebCrypto's; undefined where it is none. */
  signature(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | undefined;
}
const schemes: Readonly<Record<string, Scheme>> = {
  "rsassa-pss-sha256": {
    import: { name: "RSA-PSS", hash: "SHA-256" },
    // WebCrypto has to be told how long the salt is: that of the digest, as RFC 8017 advises and TUF's signers do.
    verify: { name: "RSA-PSS", saltLength: 32 },
    signature: (bytes) => bytes,
  },
  "ecdsa-sha2-nistp256": {
    import: { name: "ECDSA", namedCurve: "P-256" },
    verify: { name: "ECDSA", hash: "SHA-256" },
    signature: fixedWidth,
  },
};

/** As port Crypto's `verifyPem`. */
export async function verifyPem(
  scheme: string,
  publicKeyPem: string,
  message: Uint8Array<ArrayBuffer>,
  signatureHex: string,
): Promise<boolean | undefined> {
  const known = schemes[scheme];
  if (!known) return undefined;
  try {
    const key = await crypto.subtle.importKey("spki", spkiOf(publicKeyPem), known.import, false, ["verify"]);
    const signature = known.signature(fromHex(signatureHex));
    return signature !== undefined && (await crypto.subtle.verify(known.verify, key, signature, message));
  } catch {
    return false; // no key, or one of another kind than the scheme says
  }
}

function spkiOf(pem: string): Uint8Array<ArrayBuffer> {
  const base64 = pem.replace(/-----(BEGIN|END) PUBLIC KEY-----/g, "").replace(/\s+/g, "");
  return Uint8Array.from(atob(base64), (character) => character.charCodeAt(0));
}

/** DER's two integers (SEC 1, C.5) as WebCrypto wants them: r and s of 32 bytes each. */
function fixedWidth(der: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> | undefined {
  const out = new Uint8Array(64);
  if (der[0] !== 0x30 || der[1] !== der.length - 2) return undefined;
  let at = 2;
  for (const end of [32, 64]) {
    const length = der[at + 1] ?? 0;
    const integer = der.subarray(at + 2, at + 2 + length);
    if (der[at] !== 0x02 || integer.length !== length || length === 0) return undefined;
    const digits = integer[0] === 0 ? integer.subarray(1) : integer;
    if (digits.length > 32) return undefined;
    out.set(digits, end - digits.length);
    at += 2 + length;
  }
  return at === der.length ? out : undefined;
}
