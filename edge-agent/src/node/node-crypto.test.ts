import { chmod, mkdtemp, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { utf8 } from "@vedette/protocol/bytes";
import { codeOf } from "@vedette/protocol/errors";
import { afterEach, beforeEach, expect, test } from "vitest";
import { nodeCrypto, openDeviceKey } from "./node-crypto.ts";

let home: string;
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "vedette-key-"));
});
afterEach(() => rm(home, { recursive: true, force: true }));

test("sha256 is the standard's", async () => {
  expect(await nodeCrypto.sha256(utf8("abc"))).toBe("ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad");
});

test("verifies RFC 8032's second vector, and nothing else", async () => {
  const key = "3d4017c3e843895a92b70aa74d1b7ebc9c982ccf2ec4968cc0cd55f12af4660c";
  const signature =
    "92a009a9f0d4cab8720e820b5f642540a2b27b5416503f8fb3762223ebdb69da085ac1e43e15996e458f3613d0f11d8c387b2eaeb4302aeeb00d291612bb0c00";
  expect(await nodeCrypto.verify(key, Uint8Array.of(0x72), signature)).toBe(true);
  expect(await nodeCrypto.verify(key, Uint8Array.of(0x73), signature)).toBe(false);
  expect(await nodeCrypto.verify(key, Uint8Array.of(0x72), signature.replace("92", "93"))).toBe(false);
  for (const bad of ["", "zz", "f".repeat(64), key.slice(2)]) {
    expect(await nodeCrypto.verify(bad, Uint8Array.of(0x72), signature)).toBe(false);
  }
  expect(await nodeCrypto.verify(key, Uint8Array.of(0x72), "not hex")).toBe(false);
});

test("the device's key is made once, is its owner's alone, and signs what its public key verifies", async () => {
  const path = join(home, "device.key");
  const made = await openDeviceKey(path);
  const opened = await openDeviceKey(path);
  expect(opened.publicKeyHex).toBe(made.publicKeyHex);
  expect((await stat(path)).mode & 0o777).toBe(0o600);
  expect(await nodeCrypto.verify(made.publicKeyHex, utf8("x"), await opened.sign(utf8("x")))).toBe(true);
});

test("a key that others may read, and a damaged one, are refused and not replaced", async () => {
  const path = join(home, "device.key");
  await openDeviceKey(path);
  await chmod(path, 0o644);
  expect(await openDeviceKey(path).catch(codeOf)).toBe("forbidden");
  await writeFile(path, "damaged");
  await chmod(path, 0o600);
  expect(await openDeviceKey(path).catch(codeOf)).toBe("storage_failed");
});
