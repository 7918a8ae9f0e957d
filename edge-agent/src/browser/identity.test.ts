import { enrollRequest } from "@vedette/protocol/api";
import { fromUtf8, toHex, utf8 } from "@vedette/protocol/bytes";
import { codeOf } from "@vedette/protocol/errors";
import { parseEnrollmentToken } from "@vedette/protocol/joining";
import { signedBytes } from "@vedette/protocol/signed";
import { describe, expect, it, vi } from "vitest";
import type { DeviceKey } from "../core/ports.ts";
import { type PostJson, postJson } from "../http/post-json.ts";
import { enroll, loadIdentity, loginOf } from "./identity.ts";
import { memoryStorage } from "./test/memory-storage.ts";
import { webClock } from "./web-clock.ts";
import { webCrypto, webRandom } from "./web-crypto.ts";

const root = '{"signed":{}}';
const token = {
  url: "https://cp.test",
  site: "demo",
  secret: "ab".repeat(32),
  rootSha256: await webCrypto.sha256(utf8(root)),
};
const encoded = Buffer.from(JSON.stringify(token)).toString("base64url");

async function testKey(): Promise<DeviceKey> {
  const pair = (await crypto.subtle.generateKey({ name: "Ed25519" }, false, ["sign", "verify"])) as CryptoKeyPair;
  return {
    publicKeyHex: toHex(new Uint8Array(await crypto.subtle.exportKey("raw", pair.publicKey))),
    sign: async (message) => toHex(new Uint8Array(await crypto.subtle.sign("Ed25519", pair.privateKey, message))),
  };
}
/** A control plane that takes what it is sent and answers for a given root. */
function controlPlane(answerRoot = root) {
  const asked: { url: URL; body: unknown }[] = [];
  const post: PostJson = async (url, body, schema) => {
    asked.push({ url, body });
    const urls = { mqttUrl: "mqtt://cp.test:1", mqttWsUrl: "wss://cp.test/mqtt" };
    const { agent } = body as { agent: string };
    return schema.parse(
      url.pathname === "/v1/enroll"
        ? { site: "demo", agent, root: answerRoot, ...urls, labels: { from: "token" } }
        : { token: "jwt", expiresAt: new Date(0).toISOString(), time: 0, ...urls },
    );
  };
  return { asked, post };
}

describe("joining", () => {
  it("reads a token, and refuses what is none", () => {
    expect(parseEnrollmentToken(` ${encoded}\n`)).toEqual(token);
    for (const wrong of ["", "abc", encoded.slice(0, -9), "💥"]) {
      let code = "accepted";
      try {
        parseEnrollmentToken(wrong);
      } catch (error) {
        code = codeOf(error);
      }
      expect(code).toBe("invalid_token");
    }
  });

  it("proves its key, pins the root and keeps who it is", async () => {
    const [storage, key, { asked, post }] = [memoryStorage(), await testKey(), controlPlane()];
    const joined = await enroll({ token, storage, key, post, crypto: webCrypto, random: webRandom });
    const body = enrollRequest.parse(asked[0]?.body);
    expect(body.agent).toMatch(/^web-[0-9a-f]{10}$/);
    const claim = signedBytes("enroll", `${token.secret}.${body.agent}.${key.publicKeyHex}`);
    expect(await webCrypto.verify(body.publicKey, claim, body.proof)).toBe(true);
    expect(await loadIdentity(storage)).toEqual(joined);
    expect(joined).toMatchObject({ site: "demo", root, labels: { from: "token" } });

    expect(await loginOf({ identity: joined, key, clock: webClock, random: webRandom, post })).toEqual({
      url: "wss://cp.test/mqtt",
      time: 0,
      password: "jwt",
    });
    expect(asked[1]?.url.href).toBe("https://cp.test/v1/device-token");
  });

  it("[R25] asks again by the control plane's date where its own clock is years off", async () => {
    const [storage, key, { post }] = [memoryStorage(), await testKey(), controlPlane()];
    const identity = await enroll({ token, storage, key, post, crypto: webCrypto, random: webRandom });
    const date = Date.UTC(2026, 10, 23, 12);
    const asked: number[] = [];
    vi.stubGlobal("fetch", async (_url: URL, { body }: { body: string }) => {
      const { at } = JSON.parse(body) as { at: number };
      asked.push(at);
      const headers = { date: new Date(date).toUTCString() };
      if (at !== date)
        return Response.json({ error: { code: "unauthenticated", message: "" } }, { status: 401, headers });
      const urls = { mqttUrl: "mqtt://cp.test:1", mqttWsUrl: "wss://cp.test/mqtt" };
      return Response.json({ token: "jwt", expiresAt: new Date(date).toISOString(), time: date, ...urls }, { headers });
    });
    const clock = { ...webClock, now: () => 0 };
    const login = await loginOf({ identity, key, clock, random: webRandom, post: postJson }).finally(() =>
      vi.unstubAllGlobals(),
    );
    expect(login.password).toBe("jwt");
    expect(asked).toEqual([0, date]);
  });

  it("keeps nothing of a site whose root is not the token's", async () => {
    const storage = memoryStorage();
    const { post } = controlPlane('{"signed":{"other":1}}');
    const joining = enroll({ token, storage, key: await testKey(), post, crypto: webCrypto, random: webRandom });
    expect(await joining.catch(codeOf)).toBe("digest_mismatch");
    expect(await loadIdentity(storage)).toBeUndefined();
  });

  it("says so when its own file is spoilt", async () => {
    const spoilt = new Map([["identity.json", utf8("{")]]);
    expect(fromUtf8(spoilt.get("identity.json") as Uint8Array)).toBe("{");
    expect(await loadIdentity(memoryStorage(spoilt)).catch(codeOf)).toBe("storage_failed");
  });
});
