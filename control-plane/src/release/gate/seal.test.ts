import { generateKeyPairSync, sign } from "node:crypto";
import { gateReport } from "@vedette/protocol/gate-api";
import { signedBytes } from "@vedette/protocol/signed";
import { expect, test } from "vitest";
import type { SigningKey } from "../online-keys.ts";
import { createSeal } from "./seal.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const gate: SigningKey = {
  publicKeyHex: publicKey.export({ type: "spki", format: "der" }).subarray(-32).toString("hex"),
  keyid: "ours",
  privateKey,
  sign: (message) => sign(null, message, privateKey).toString("hex"),
};
const { open } = createSeal({ site: "s", keys: { gate, next: {} } });
const of = { model: "m", version: 1, digest: "0".repeat(64) };
const openSigned = (payload: string, as = payload) =>
  open(
    "gate-report",
    gateReport,
    { payload, signatures: [{ keyid: gate.keyid, sig: gate.sign(signedBytes("gate-report", as)) }] },
    of,
  );

test("[R81] what this gate signed in any other format is unreadable, also where it is no JSON; what it did not sign is forged", async () => {
  for (const payload of ["", "null", "[]", "not JSON", '{"format":"vedette.gate-report/9"}']) {
    expect(await openSigned(payload)).toBe("unreadable");
    expect(await openSigned(payload, "another")).toBe("forged");
  }
});
