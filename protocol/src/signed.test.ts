import type { webcrypto } from "node:crypto";
import { expect, test } from "vitest";
import { fromHex, toHex } from "./bytes.ts";
import { openSigned, signedBytes } from "./signed.ts";

const algorithm = { name: "Ed25519" } as const;
async function keyPair() {
  const pair = (await crypto.subtle.generateKey(algorithm, true, ["sign", "verify"])) as webcrypto.CryptoKeyPair;
  const publicKey = toHex(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey)));
  const sign = async (type: string, payload: string) =>
    toHex(new Uint8Array(await crypto.subtle.sign(algorithm, pair.privateKey, signedBytes(type, payload))));
  return { publicKey, sign };
}
async function verify(key: string, message: Uint8Array<ArrayBuffer>, sig: string): Promise<boolean> {
  const imported = await crypto.subtle.importKey("raw", fromHex(key), algorithm, false, ["verify"]);
  return crypto.subtle.verify(algorithm, imported, fromHex(sig), message);
}

test("[S1] a payload opens only with enough signatures of trusted keys over exactly its text and type", async () => {
  const [a, b, stranger] = [await keyPair(), await keyPair(), await keyPair()];
  const trusted = { keys: { a: a.publicKey, b: b.publicKey }, threshold: 1 };
  const payload = '{"rev":1}';
  const sigA = { keyid: "a", sig: await a.sign("assignment", payload) };
  const sigB = { keyid: "b", sig: await b.sign("assignment", payload) };

  expect(await openSigned("assignment", { payload, signatures: [sigA] }, trusted, verify)).toBe(payload);
  expect(
    await openSigned("assignment", { payload, signatures: [sigA, sigB] }, { ...trusted, threshold: 2 }, verify),
  ).toBe(payload);

  const refused = (envelope: Parameters<typeof openSigned>[1], threshold = 1, type = "assignment") =>
    expect(openSigned(type, envelope, { ...trusted, threshold }, verify)).rejects;
  await refused({ payload, signatures: [] }).toMatchObject({ code: "unsigned" });
  await refused({ payload: '{"rev":2}', signatures: [sigA] }).toMatchObject({ code: "bad_signature" });
  await refused({ payload, signatures: [sigA] }, 1, "report").toMatchObject({ code: "bad_signature" });
  await refused({
    payload,
    signatures: [{ keyid: "a", sig: await stranger.sign("assignment", payload) }],
  }).toMatchObject({ code: "bad_signature" });
  await refused({
    payload,
    signatures: [{ keyid: "c", sig: await stranger.sign("assignment", payload) }],
  }).toMatchObject({ code: "bad_signature" });
});

test("[S2] one key under two names, or twice, counts once towards a threshold", async () => {
  const a = await keyPair();
  const payload = "{}";
  const sig = await a.sign("assignment", payload);
  const trusted = { keys: { a: a.publicKey, again: a.publicKey }, threshold: 2 };
  const signatures = [
    { keyid: "a", sig },
    { keyid: "again", sig },
    { keyid: "a", sig },
  ];
  await expect(openSigned("assignment", { payload, signatures }, trusted, verify)).rejects.toMatchObject({
    code: "bad_signature",
  });
});
