/** The one-hour passwords by which enrolled devices log in to the broker: EdDSA JWTs, given for a proof of the device's key. */

import { createPublicKey } from "node:crypto";
import type { deviceTokenRequest } from "@vedette/protocol/api";
import { VedetteError } from "@vedette/protocol/errors";
import { deviceTokenClaim } from "@vedette/protocol/joining";
import { errors, jwtVerify, SignJWT } from "jose";
import type { z } from "zod";
import type { Database } from "../db/database.ts";
import type { Clock } from "../ports.ts";
import type { SigningKey } from "../release/online-keys.ts";
import { verifyEd25519 } from "../verify-ed25519.ts";

export interface DeviceTokens {
  /**
   * @throws VedetteError unauthenticated (no such device, or not its key), forbidden (revoked), expired (the device's clock is off; the
   * message says by how much), replayed.
   */
  issue(request: z.infer<typeof deviceTokenRequest>): Promise<{ token: string; expiresAt: number; time: number }>;
  /** The enrolled key of a device that proved to hold it. @throws VedetteError as `issue`. */
  prove(request: z.infer<typeof deviceTokenRequest>, claim: typeof deviceTokenClaim): Promise<string>;
  /** Until when a password holds (UTC ms), or undefined where it does not. */
  authenticate(agent: string, password: string): Promise<number | undefined>;
}

const lifetimeSeconds = 3600;
const skewMs = 600_000;
/** A token may seem to come from this far ahead: clocks are set back by so much all the time. */
const aheadMs = 60_000;
const issuer = "vedette";

export function createDeviceTokens(ports: {
  db: Database;
  /** The key of the moment: it may be rotated. */
  key: () => SigningKey;
  clock: Clock;
  site: string;
}): DeviceTokens {
  const { db, key, clock, site } = ports;
  /** Nonces that were used, oldest first, with when they may be forgotten: their time is refused from then on. */
  const used = new Map<string, number>();

  function refuseReplay(nonce: string, at: number, now: number): void {
    for (const [old, until] of used) {
      if (until >= now) break;
      used.delete(old);
    }
    if (used.has(nonce))
      throw new VedetteError("replayed", "this request for a device token was used before: ask with a new nonce");
    used.set(nonce, Math.max(at, now) + skewMs);
  }

  const prove: DeviceTokens["prove"] = async ({ agent, at, nonce, proof }, claim) => {
    const now = clock.now();
    const device = await db.devices.find(agent);
    if (!device || !verifyEd25519(device.publicKey, claim(agent, at, nonce), proof)) {
      // One answer for both, so that nobody learns which devices there are.
      throw new VedetteError("unauthenticated", `device ${agent} is not enrolled here with this key: enrol it again`);
    }
    if (device.revokedAt !== null) {
      throw new VedetteError(
        "forbidden",
        `device ${agent} was revoked: an operator may approve it again (vedette device approve ${agent})`,
      );
    }
    if (Math.abs(at - now) > skewMs) {
      throw new VedetteError(
        "expired",
        `device ${agent} says it is ${at}, the control plane says ${now} (UTC ms): set the clock, or ask with this time`,
      );
    }
    refuseReplay(`${agent}.${nonce}`, at, now);
    return device.publicKey;
  };

  return {
    prove,
    async issue(request) {
      const { agent } = request;
      const now = clock.now();
      await prove(request, deviceTokenClaim);
      const issuedAt = Math.floor(now / 1000);
      const token = await new SignJWT()
        .setProtectedHeader({ alg: "EdDSA" })
        .setIssuer(issuer)
        .setAudience(site)
        .setSubject(agent)
        .setIssuedAt(issuedAt)
        .setExpirationTime(issuedAt + lifetimeSeconds)
        .sign(key().privateKey);
      return { token, expiresAt: (issuedAt + lifetimeSeconds) * 1000, time: now };
    },
    async authenticate(agent, password) {
      try {
        const { payload } = await jwtVerify(password, createPublicKey(key().privateKey), {
          algorithms: ["EdDSA"],
          issuer,
          audience: site,
          subject: agent,
          requiredClaims: ["exp"],
          currentDate: new Date(clock.now()),
        });
        // Given while the clock here was ahead, it would outlive its hour by as much.
        if (payload.iat === undefined || payload.iat * 1000 > clock.now() + aheadMs) return undefined;
        const device = await db.devices.find(agent);
        return device?.revokedAt === null && payload.exp !== undefined ? payload.exp * 1000 : undefined;
      } catch (error) {
        if (error instanceof errors.JOSEError) return undefined;
        throw error;
      }
    },
  };
}
