/** JSON Web Tokens of an issuer that the configuration names, by its public keys on this device's disk. */
import { createPublicKey, type KeyObject } from "node:crypto";
import { readFile } from "node:fs/promises";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { modelName } from "@vedette/protocol/ids";
import { createLocalJWKSet, errors, type JWTPayload, jwtVerify } from "jose";
import { z } from "zod";

export interface WebTokenOptions {
  /** A JWK set, or one public key in PEM. */
  readonly keysFile: string;
  /** Both asked of every token: one made for another service is none for this. */
  readonly issuer: string;
  readonly audience: string;
}
/** What a good token says. */
interface TokenClaims {
  readonly subject: string;
  /** Null: every model. */
  readonly models: readonly string[] | null;
  /** UTC ms. */
  readonly expires: number;
}
/** @throws VedetteError unauthenticated. */
export type TokenVerifier = (token: string, now: number) => Promise<TokenClaims>;

const clockToleranceSeconds = 5;
const algorithms = ["EdDSA", "ES256", "RS256"];
const claims = z.object({
  sub: z.string().min(1).max(256),
  exp: z.number(),
  vedette_models: z.array(modelName).optional(),
});

/** @throws VedetteError invalid_argument where the file holds no keys of EdDSA, ES256 or RS256. */
export async function createTokenVerifier({ keysFile, issuer, audience }: WebTokenOptions): Promise<TokenVerifier> {
  const verify = await verifierOf(keysFile);
  return async (token, now) => {
    let payload: JWTPayload;
    try {
      payload = await verify(token, {
        issuer,
        audience,
        algorithms,
        clockTolerance: clockToleranceSeconds,
        requiredClaims: ["sub", "exp"],
        currentDate: new Date(now),
      });
    } catch (cause) {
      const why = cause instanceof errors.JOSEError ? cause.message : "it cannot be read";
      throw new VedetteError("unauthenticated", `the token is refused: ${why}`, { cause });
    }
    const parsed = claims.safeParse(payload);
    if (!parsed.success) {
      const where = parsed.error.issues[0]?.path.join(".") ?? "";
      throw new VedetteError("unauthenticated", `the token is refused: its claim ${where} does not fit`);
    }
    const { sub, exp, vedette_models: models } = parsed.data;
    return { subject: sub, models: models ?? null, expires: 1000 * (exp + clockToleranceSeconds) };
  };
}

type Verify = (token: string, options: Parameters<typeof jwtVerify>[2]) => Promise<JWTPayload>;

async function verifierOf(file: string): Promise<Verify> {
  let text: string;
  try {
    text = await readFile(file, "utf8");
  } catch (cause) {
    throw new VedetteError("invalid_argument", `the token keys ${file} cannot be read: ${messageOf(cause)}`, { cause });
  }
  try {
    if (text.trimStart().startsWith("{")) {
      const set = createLocalJWKSet(JSON.parse(text));
      return async (token, options) => (await jwtVerify(token, set, options)).payload;
    }
    const key = publicKeyOf(text);
    return async (token, options) => (await jwtVerify(token, key, options)).payload;
  } catch (cause) {
    const why = `the token keys ${file} are neither a JWK set nor a public key in PEM: ${messageOf(cause)}`;
    throw new VedetteError("invalid_argument", why, { cause });
  }
}

/** A private key would do as well, and does not belong on a device. */
function publicKeyOf(pem: string): KeyObject {
  if (/PRIVATE KEY/.test(pem))
    throw new VedetteError("invalid_argument", "it is a private key: put its public one here");
  return createPublicKey(pem);
}
