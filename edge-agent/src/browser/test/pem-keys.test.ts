/** Keys of other kinds than Ed25519, on both platforms: what one accepts, the other does. */
import { createHash, generateKeyPairSync, constants as nodeConstants, sign } from "node:crypto";
import { toHex, utf8 } from "@vedette/protocol/bytes";
import fc from "fast-check";
import { describe, expect, test } from "vitest";
import type { Crypto } from "../../core/ports.ts";
import { nodeCrypto } from "../../node/node-crypto.ts";
import { webCrypto } from "../web-crypto.ts";

const message = utf8("signed metadata");
const pem = (key: { export(options: { type: "spki"; format: "pem" }): string | Buffer }) =>
  key.export({ type: "spki", format: "pem" }).toString();
const ec = generateKeyPairSync("ec", { namedCurve: "P-256" });
const rsa = generateKeyPairSync("rsa", { modulusLength: 2048 });
const padding = { padding: nodeConstants.RSA_PKCS1_PSS_PADDING, saltLength: 32 };
const keys = {
  "ecdsa-sha2-nistp256": {
    pem: pem(ec.publicKey),
    sign: (bytes: Uint8Array) => toHex(sign("sha256", bytes, ec.privateKey)),
  },
  "rsassa-pss-sha256": {
    pem: pem(rsa.publicKey),
    sign: (bytes: Uint8Array) => toHex(sign("sha256", bytes, { key: rsa.privateKey, ...padding })),
  },
};

describe.each([
  ["Node", nodeCrypto],
  ["page", webCrypto],
] as const)("%s", (_, crypto: Crypto) => {
  test.each(Object.entries(keys))("[S40] %s: its own signatures and no other", async (scheme, key) => {
    // ECDSA's integers are 31 to 33 bytes long in DER: many signatures meet all of them.
    for (let i = 0; i < 64; i++) {
      const bytes = utf8(`message ${i}`);
      expect(await crypto.verifyPem?.(scheme, key.pem, bytes, key.sign(bytes))).toBe(true);
      expect(await crypto.verifyPem?.(scheme, key.pem, message, key.sign(bytes))).toBe(false);
    }
    const other = Object.entries(keys).find(([name]) => name !== scheme)?.[1];
    expect(await crypto.verifyPem?.(scheme, other?.pem ?? "", message, other?.sign(message) ?? "")).toBe(false);
  });

  test("[S40] any bytes for a signature or a key are an untrue one; an unknown scheme is said as such", async () => {
    const hex = fc.uint8Array({ maxLength: 80 }).map((bytes) => toHex(bytes));
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(...Object.keys(keys)), fc.string(), hex, async (scheme, text, signature) => {
        const key = keys[scheme as keyof typeof keys];
        expect(await crypto.verifyPem?.(scheme, key.pem, message, signature)).toBe(false);
        expect(await crypto.verifyPem?.(scheme, text, message, key.sign(message))).toBe(false);
      }),
      { numRuns: 100 },
    );
    expect(await crypto.verifyPem?.("sphincs", keys["rsassa-pss-sha256"].pem, message, "00")).toBeUndefined();
  });

  test("[S41] sha512 is that of the standard", async () => {
    expect(await crypto.sha512?.(message)).toBe(createHash("sha512").update(message).digest("hex"));
  });
});
