import { generateKeyPairSync, sign, verify } from "node:crypto";
import fc from "fast-check";
import { expect, test } from "vitest";
import { isLater, openDeviceMessage, sealDeviceMessage, willNumber } from "./device-message.ts";
import { codeOf } from "./errors.ts";

const { privateKey, publicKey } = generateKeyPairSync("ed25519");
const other = generateKeyPairSync("ed25519");
const device = {
  agent: "dev",
  publicKey: publicKey.export({ format: "der", type: "spki" }).subarray(12).toString("hex"),
};
const signer = (key: typeof privateKey) => async (bytes: Uint8Array) => sign(null, bytes, key).toString("hex");
const check = async (_: string, bytes: Uint8Array, sig: string) =>
  verify(null, bytes, publicKey, Buffer.from(sig, "hex"));
const topic = "vd1/test/a/dev/reported";
const open = (text: string, on = topic) => openDeviceMessage(text, on, device, check);

test("[Q10] a message opens with its stamp and exact body, whatever the body holds", async () => {
  const bodies = fc.oneof(fc.string(), fc.json(), fc.constant("a\nb\n"));
  const numbers = fc.oneof(fc.nat(), fc.constant(willNumber));
  await fc.assert(
    fc.asyncProperty(bodies, fc.nat(), numbers, async (body, sid, n) => {
      const text = await sealDeviceMessage("dev", topic, { sid, n }, body, signer(privateKey));
      expect(await open(text)).toEqual({ sid, n, body });
    }),
    { numRuns: 50 },
  );
});

test("[Q10] what is unsigned, signed by another, changed, or said on another topic is refused by name", async () => {
  const good = await sealDeviceMessage("dev", topic, { sid: 1, n: 2 }, '{"rev":1}', signer(privateKey));
  const forged = await sealDeviceMessage("dev", topic, { sid: 1, n: 2 }, '{"rev":1}', signer(other.privateKey));
  const asOther = await sealDeviceMessage("other", topic, { sid: 1, n: 2 }, '{"rev":1}', signer(privateKey));
  const of = (text: string, on?: string) => open(text, on).catch(codeOf);
  expect(await of('{"rev":1}')).toBe("unsigned");
  expect(await of(JSON.stringify({ ...JSON.parse(good), signatures: [] }))).toBe("unsigned");
  expect(await of("{")).toBe("invalid_message");
  expect(await of(forged)).toBe("bad_signature");
  expect(await of(asOther)).toBe("bad_signature");
  expect(await of(good.replace("reported 1 2", "reported 1 3"))).toBe("bad_signature");
  expect(await of(good.replace('rev\\":1', 'rev\\":2'))).toBe("bad_signature");
  expect(await of(good, "vd1/test/a/dev/req")).toBe("wrong_device");
  expect(await of(await sealDeviceMessage("dev", `${topic} 1`, { sid: 1, n: 2 }, "", signer(privateKey)))).toBe(
    "invalid_message",
  );
});

test("stamps are ordered by session, then by number", () => {
  expect(isLater({ sid: 2, n: 0 }, { sid: 1, n: willNumber })).toBe(true);
  expect(isLater({ sid: 1, n: 1 }, { sid: 1, n: 0 })).toBe(true);
  expect(isLater({ sid: 1, n: 1 }, { sid: 1, n: 1 })).toBe(false);
});
