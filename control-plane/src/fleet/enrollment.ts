/**
 * How a device joins: an operator makes a token, a device redeems it with a key of its own. The token carries the hash of
 * the site's root, so trust comes with the token and not from the connection.
 */

import type { createToken, EnrollmentToken, enrollRequest } from "@vedette/protocol/api";
import { VedetteError } from "@vedette/protocol/errors";
import { enrollmentClaim } from "@vedette/protocol/joining";
import { watchAgent } from "@vedette/protocol/watch-api";
import type { z } from "zod";
import type { Database } from "../db/database.ts";
import type { Labels, TokenRecord } from "../db/records.ts";
import type { Clock } from "../ports.ts";
import type { TrustRepository } from "../release/trust-repository.ts";
import { noRoot } from "../release/trust-state.ts";
import { sha256 } from "../sha256.ts";
import { verifyEd25519 } from "../verify-ed25519.ts";

interface ListedToken extends TokenRecord {
  readonly id: string;
  readonly state: "usable" | "used" | "expired" | "revoked";
  readonly devices: string[];
}

export interface Enrollment {
  /** A new token as one string. @throws VedetteError trust_not_initialised. */
  createToken(
    request: z.infer<typeof createToken>,
    actor: string,
  ): Promise<{ token: string; expiresAt: number; id: string }>;
  /** All tokens, the newest first, with the devices that joined by each. */
  listTokens(): Promise<ListedToken[]>;
  /**
   * Ends a token's use; devices that joined by it stay.
   * @param id as `tokenIdOf` has it. @throws VedetteError not_found.
   */
  revokeToken(id: string, actor: string): Promise<{ revoked: boolean; devices: string[] }>;
  /**
   * Registers a device's key. Answers the first root and the token's labels.
   * @throws VedetteError bad_signature (the key is not the device's), invalid_token, conflict (the id has another key).
   */
  enroll(request: z.infer<typeof enrollRequest>): Promise<{ root: string; labels: Labels }>;
}

export function createEnrollment(ports: {
  db: Database;
  trust: TrustRepository;
  clock: Clock;
  /** 32 random bytes a call. */
  randomBytes: (length: number) => Buffer;
  site: string;
  /** Where devices reach the HTTP API. */
  publicUrl: () => string;
}): Enrollment {
  const { db, trust, clock, randomBytes, site, publicUrl } = ports;

  async function list(): Promise<ListedToken[]> {
    const devices = await db.devices.list();
    const now = clock.now();
    return (await db.tokens.list()).map((token) => ({
      ...token,
      id: tokenIdOf(token.secretSha256),
      state:
        token.revokedAt !== null
          ? "revoked"
          : token.used >= token.uses
            ? "used"
            : token.expiresAt <= now
              ? "expired"
              : "usable",
      devices: devices.filter((device) => device.token === token.secretSha256).map((device) => device.agent),
    }));
  }

  return {
    async createToken({ labels, ttlSeconds, uses }, actor) {
      if (trust.rootSha256 === null) throw noRoot();
      const secret = randomBytes(32).toString("hex");
      const at = clock.now();
      const expiresAt = at + ttlSeconds * 1000;
      await db.tokens.create(
        {
          secretSha256: sha256(secret),
          labels,
          uses,
          used: 0,
          expiresAt,
          createdAt: at,
          createdBy: actor,
          revokedAt: null,
        },
        {
          at,
          actor,
          action: "token.create",
          subject: tokenIdOf(sha256(secret)),
          detail: { labels, uses, ttlSeconds },
        },
      );
      const content: EnrollmentToken = { url: publicUrl(), site, secret, rootSha256: trust.rootSha256 };
      return {
        token: Buffer.from(JSON.stringify(content)).toString("base64url"),
        expiresAt,
        id: tokenIdOf(sha256(secret)),
      };
    },
    listTokens: list,
    async revokeToken(id, actor) {
      const token = (await list()).find((one) => one.id === id);
      if (!token) throw new VedetteError("not_found", `there is no enrolment token ${id}: see vedette token list`);
      const revoked = await db.tokens.revoke(token.secretSha256, {
        at: clock.now(),
        actor,
        action: "token.revoke",
        subject: id,
        detail: { before: { state: token.state }, after: { state: "revoked" }, devices: token.devices },
      });
      return { revoked, devices: token.devices };
    },
    async enroll({ secret, agent, publicKey, proof }) {
      if (agent === watchAgent)
        throw new VedetteError("conflict", `no device is called ${agent}: that is what watched models are logged as`);
      if (!verifyEd25519(publicKey, enrollmentClaim(secret, agent, publicKey), proof)) {
        throw new VedetteError("bad_signature", `device ${agent} did not prove that it holds the key it sent`);
      }
      const root = await trust.metadata("1.root.json");
      if (root === undefined) throw noRoot();
      const labels = await db.tokens.redeem(sha256(secret), agent, publicKey, {
        at: clock.now(),
        actor: `device ${agent}`, // no operator is called so
        action: "device.enroll",
        subject: agent,
        detail: { token: tokenIdOf(sha256(secret)) },
      });
      return { root, labels };
    },
  };
}

/** What a token is called where it must not be shown. */
function tokenIdOf(secretSha256: string): string {
  return secretSha256.slice(0, 12);
}
