/**
 * How a device joins: an operator makes a token, a device redeems it with a key of its own. The token carries the hash of
 * the site's root, so trust comes with the token and not from the connection.
 */

import { createHash } from "node:crypto";
import type { createToken, EnrollmentToken, enrollRequest } from "@vedette/protocol/api";
import { VedetteError } from "@vedette/protocol/errors";
import { enrollmentClaim } from "@vedette/protocol/joining";
import type { z } from "zod";
import type { Database } from "../db/database.ts";
import type { Labels } from "../db/records.ts";
import type { Clock } from "../ports.ts";
import type { TrustRepository } from "../release/trust-repository.ts";
import { noRoot } from "../release/trust-state.ts";
import { verifyEd25519 } from "./verify-ed25519.ts";

export interface Enrollment {
  /** A new token as one string. @throws VedetteError trust_not_initialised. */
  createToken(request: z.infer<typeof createToken>, actor: string): Promise<{ token: string; expiresAt: number }>;
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
  return {
    async createToken({ labels, ttlSeconds, uses }, actor) {
      if (trust.rootSha256 === null) throw noRoot();
      const secret = randomBytes(32).toString("hex");
      const at = clock.now();
      const expiresAt = at + ttlSeconds * 1000;
      await db.tokens.create(
        { secretSha256: sha256(secret), labels, uses, used: 0, expiresAt, createdAt: at },
        {
          at,
          actor,
          action: "token.create",
          subject: sha256(secret).slice(0, 12),
          detail: { labels, uses, ttlSeconds },
        },
      );
      const content: EnrollmentToken = { url: publicUrl(), site, secret, rootSha256: trust.rootSha256 };
      return { token: Buffer.from(JSON.stringify(content)).toString("base64url"), expiresAt };
    },
    async enroll({ secret, agent, publicKey, proof }) {
      if (!verifyEd25519(publicKey, enrollmentClaim(secret, agent, publicKey), proof)) {
        throw new VedetteError("bad_signature", `device ${agent} did not prove that it holds the key it sent`);
      }
      const root = await trust.metadata("1.root.json");
      if (root === undefined) throw noRoot();
      const labels = await db.tokens.redeem(sha256(secret), agent, publicKey, {
        at: clock.now(),
        actor: agent,
        action: "device.enroll",
        subject: agent,
        detail: { token: sha256(secret).slice(0, 12) },
      });
      return { root, labels };
    },
  };
}

function sha256(secret: string): string {
  return createHash("sha256").update(secret).digest("hex");
}
