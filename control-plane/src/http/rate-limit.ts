/** A token bucket an address, for what anyone may call: signatures are checked there, and that costs time. */
import { getConnInfo } from "@hono/node-server/conninfo";
import { VedetteError } from "@vedette/protocol/errors";
import type { Context, MiddlewareHandler } from "hono";
import type { Clock } from "../ports.ts";

export interface RateLimit {
  /** Requests at once. */
  readonly burst: number;
  readonly perSecond: number;
}

const maxAddresses = 10_000;

/** Refuses with rate_limited what comes faster than the limit. */
export function rateLimit({ burst, perSecond }: RateLimit, clock: Clock): MiddlewareHandler {
  const buckets = new Map<string, { left: number; at: number }>();
  return async (c, next) => {
    const address = addressOf(c);
    const now = clock.now();
    const bucket = buckets.get(address) ?? { left: burst, at: now };
    const left = Math.min(burst, bucket.left + (Math.max(0, now - bucket.at) / 1000) * perSecond);
    // Set anew, so that the map's order is that of use and the oldest is the one to forget.
    buckets.delete(address);
    buckets.set(address, { left: Math.max(0, left - 1), at: now });
    const [oldest] = buckets.keys();
    if (buckets.size > maxAddresses && oldest !== undefined) buckets.delete(oldest);
    if (left < 1) {
      throw new VedetteError("rate_limited", `more than ${perSecond} requests a second from ${address}: slow down`);
    }
    await next();
  };
}

/** In-process requests have no socket. */
function addressOf(c: Context): string {
  const bindings: unknown = c.env;
  const onSocket = typeof bindings === "object" && bindings !== null && "incoming" in bindings;
  return onSocket ? (getConnInfo(c).remote.address ?? "unknown") : "in-process";
}
