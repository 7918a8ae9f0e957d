import { generateKeyPairSync } from "node:crypto";
import { mkdtemp, readFile, rm, stat, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { codeOf, messageOf } from "@vedette/protocol/errors";
import { exportJWK, SignJWT } from "jose";
import { afterEach, beforeEach, expect, test } from "vitest";
import { noLimits } from "./allowance.ts";
import { type ApiKey, apiKeyFile, createApiKey, readApiKeys, revokeApiKey } from "./api-keys.ts";
import { type Authenticator, type Client, createAuthenticator } from "./authenticate.ts";
import { createTokenVerifier } from "./web-tokens.ts";

let home: string;
let now: number;
const clock = { now: () => now, monotonic: () => now };
beforeEach(async () => {
  home = await mkdtemp(join(tmpdir(), "vedette-keys-"));
  now = Date.UTC(2026, 10, 23);
});
afterEach(() => rm(home, { recursive: true }));

const plain = { name: "dashboard", models: null, ratePerSecond: null, concurrent: null, expiresAt: null };
const bearer = (text: string) => ({ authorization: `Bearer ${text}` });
async function whoIs(authenticator: Authenticator, text: string): Promise<Client | string> {
  try {
    return await authenticator.identify(bearer(text));
  } catch (error) {
    return codeOf(error);
  }
}
const withKeys = (keys: readonly ApiKey[]) => createAuthenticator({ open: false, keys, limits: noLimits, clock });

test("[G2] what is kept of a key is its hash, in a file of its owner's; the key opens, and nothing near it does", async () => {
  const { key, kept } = await createApiKey(home, { ...plain, models: ["pump"] });
  const file = await readFile(apiKeyFile(home), "utf8");
  expect(file).not.toContain(key.slice(12));
  expect((await stat(apiKeyFile(home))).mode & 0o777).toBe(0o600);
  const authenticator = withKeys(await readApiKeys(home));
  expect(await whoIs(authenticator, key)).toMatchObject({ name: kept.id, models: new Set(["pump"]) });
  const other = key.at(-1) === "A" ? "B" : "A";
  for (const wrong of [key.slice(0, -1), key.slice(0, -1) + other, `${key}A`, kept.hash, kept.id, ""]) {
    expect(await whoIs(authenticator, wrong)).toBe("unauthenticated");
  }
});

test("[G2] a key that is revoked or has ended opens nothing, also where it was known; others go on", async () => {
  const first = await createApiKey(home, { ...plain, expiresAt: new Date(now + 1000).toISOString() });
  const second = await createApiKey(home, { ...plain, name: "other" });
  const authenticator = withKeys(await readApiKeys(home));
  expect(await whoIs(authenticator, first.key)).toMatchObject({ name: first.kept.id });
  now += 1000;
  expect(await whoIs(authenticator, first.key)).toBe("unauthenticated");
  expect(await whoIs(authenticator, second.key)).toMatchObject({ name: second.kept.id });
  await revokeApiKey(home, "other");
  authenticator.useKeys(await readApiKeys(home));
  expect(await whoIs(authenticator, second.key)).toBe("unauthenticated");
});

test("keys are revoked by id or by a name that only one has", async () => {
  const [one] = [await createApiKey(home, plain), await createApiKey(home, plain)];
  expect(await revokeApiKey(home, "dashboard").catch(codeOf)).toBe("conflict");
  await revokeApiKey(home, one.kept.id);
  expect((await revokeApiKey(home, "dashboard")).id).not.toBe(one.kept.id);
  expect(await revokeApiKey(home, "nobody").catch(codeOf)).toBe("not_found");
});

test("a damaged key file is said, and is no key file without keys", async () => {
  await writeFile(apiKeyFile(home), '{"v":1,"keys":[{"id":"x"}]}');
  expect(await readApiKeys(home).catch(messageOf)).toMatch(/api-keys.json cannot be read/);
});

const issuer = "https://login.example";
const audience = "vedette";
const kinds = [
  { alg: "EdDSA", pair: () => generateKeyPairSync("ed25519") },
  { alg: "ES256", pair: () => generateKeyPairSync("ec", { namedCurve: "P-256" }) },
  { alg: "RS256", pair: () => generateKeyPairSync("rsa", { modulusLength: 2048 }) },
];

test.each(kinds)(
  "[G3] a token of $alg opens by the issuer's key, as PEM and as JWK set, for its models, until it ends",
  async ({ alg, pair }) => {
    const { privateKey, publicKey } = pair();
    const pem = join(home, "key.pem");
    const jwks = join(home, "jwks.json");
    await writeFile(pem, publicKey.export({ type: "spki", format: "pem" }));
    await writeFile(jwks, JSON.stringify({ keys: [{ ...(await exportJWK(publicKey)), alg, kid: "1" }] }));
    const seconds = Math.floor(now / 1000);
    const sign = (change: Record<string, unknown> = {}, by = privateKey) => {
      const claims = {
        iss: issuer,
        aud: audience,
        sub: "app-1",
        exp: seconds + 60,
        vedette_models: ["pump"],
        ...change,
      };
      return new SignJWT(claims).setProtectedHeader({ alg, kid: "1" }).sign(by);
    };
    for (const keysFile of [pem, jwks]) {
      now = seconds * 1000;
      const tokens = await createTokenVerifier({ keysFile, issuer, audience });
      const authenticator = createAuthenticator({ open: false, tokens, limits: noLimits, clock });
      const good = await sign();
      expect(await whoIs(authenticator, good)).toMatchObject({ name: "sub:app-1", models: new Set(["pump"]) });
      for (const wrong of [
        await sign({ iss: "https://evil.example" }),
        await sign({ aud: "another" }),
        await sign({ exp: seconds - 10 }),
        await sign({ exp: undefined }),
        await sign({ sub: undefined }),
        await sign({ nbf: seconds + 1000 }),
        await sign({ vedette_models: "pump" }),
        await sign({}, pair().privateKey),
        `${good.slice(0, -4)}AAAA`,
        `${btoa('{"alg":"none"}')}.${good.split(".")[1]}.`,
      ]) {
        expect(await whoIs(authenticator, wrong)).toBe("unauthenticated");
      }
      expect(await whoIs(authenticator, good)).toMatchObject({ name: "sub:app-1" });
      now += 70_000;
      expect(await whoIs(authenticator, good)).toBe("unauthenticated");
    }
  },
);

test("[G3] a token signed with the public key as a shared secret is refused", async () => {
  const { publicKey } = generateKeyPairSync("rsa", { modulusLength: 2048 });
  const keysFile = join(home, "key.pem");
  const pem = publicKey.export({ type: "spki", format: "pem" });
  await writeFile(keysFile, pem);
  const tokens = await createTokenVerifier({ keysFile, issuer, audience });
  const forged = await new SignJWT({ iss: issuer, aud: audience, sub: "x", exp: now / 1000 + 60 })
    .setProtectedHeader({ alg: "HS256" })
    .sign(Buffer.from(pem));
  expect(await tokens(forged, now).catch(codeOf)).toBe("unauthenticated");
});

test("a private key, and what is no key, are refused as the issuer's", async () => {
  const keysFile = join(home, "key.pem");
  const { privateKey } = generateKeyPairSync("ed25519");
  for (const text of [privateKey.export({ type: "pkcs8", format: "pem" }), "nonsense", "{"]) {
    await writeFile(keysFile, text);
    expect(await createTokenVerifier({ keysFile, issuer, audience }).catch(codeOf)).toBe("invalid_argument");
  }
});
