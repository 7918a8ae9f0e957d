/** What a device and the control plane say to each other before there is trust: the token's text, and what proofs sign. */
import { type EnrollmentToken, enrollmentToken } from "./api.ts";
import { fromUtf8 } from "./bytes.ts";
import { messageOf, VedetteError } from "./errors.ts";
import { signedBytes } from "./signed.ts";

/** An enrolment token from its text: base64url of JSON. @throws VedetteError invalid_token saying what is wrong with it. */
export function parseEnrollmentToken(text: string): EnrollmentToken {
  const wrong = (why: string, cause: unknown) =>
    new VedetteError("invalid_token", `this is no enrolment token (${why}): copy all of it, or make another`, {
      cause,
    });
  let json: unknown;
  try {
    const binary = atob(text.trim().replaceAll("-", "+").replaceAll("_", "/"));
    json = JSON.parse(fromUtf8(Uint8Array.from(binary, (char) => char.charCodeAt(0))));
  } catch (cause) {
    throw wrong(`it does not decode: ${messageOf(cause)}`, cause);
  }
  const parsed = enrollmentToken.safeParse(json);
  if (parsed.success) return parsed.data;
  throw wrong(parsed.error.issues.map((issue) => `${issue.path.join(".")}: ${issue.message}`).join("; "), parsed.error);
}

/** What a device signs to join: that it holds the key it brings. */
export function enrollmentClaim(secret: string, agent: string, publicKeyHex: string): Uint8Array<ArrayBuffer> {
  return signedBytes("enroll", `${secret}.${agent}.${publicKeyHex}`);
}

/** What a device signs to get a certificate for its key. @param at UTC ms. */
export function deviceCertificateClaim(agent: string, at: number, nonce: string): Uint8Array<ArrayBuffer> {
  return signedBytes("device-certificate", `${agent}.${at}.${nonce}`);
}

/** What a device signs to get a token for the broker. @param at UTC ms. */
export function deviceTokenClaim(agent: string, at: number, nonce: string): Uint8Array<ArrayBuffer> {
  return signedBytes("device-token", `${agent}.${at}.${nonce}`);
}
