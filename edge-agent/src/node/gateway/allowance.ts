/** What one client may ask for: a rate, by token bucket, and how many requests at once. exchange.ts takes and gives back. */
import { refuseForNow } from "../oip/errors.ts";

export interface AllowanceLimits {
  /** Requests a second in the long run; null: no limit. */
  readonly ratePerSecond: number | null;
  /** Requests that may come at once after a pause; the rate rounded up where not said. */
  readonly burst: number | null;
  /** Requests under way at once; null: no limit. */
  readonly concurrent: number | null;
}
export interface Allowance {
  /** Takes one request's worth. @throws HttpRefusal rate_limited with the seconds until there is one. */
  take(): void;
  giveBack(): void;
}

/** @param monotonic ms that never go backwards. */
export function createAllowance(limits: AllowanceLimits, monotonic: () => number): Allowance {
  const { ratePerSecond, concurrent } = limits;
  const burst = Math.max(1, limits.burst ?? Math.ceil(ratePerSecond ?? 1));
  let tokens = burst;
  let at = monotonic();
  let underWay = 0;
  return {
    take() {
      if (concurrent !== null && underWay >= concurrent) {
        throw refuseForNow("rate_limited", `this key has ${concurrent} requests under way, as many as it may`, 1);
      }
      if (ratePerSecond !== null) {
        const now = monotonic();
        tokens = Math.min(burst, tokens + ((now - at) * ratePerSecond) / 1000);
        at = now;
        if (tokens < 1) {
          const seconds = (1 - tokens) / ratePerSecond;
          throw refuseForNow(
            "rate_limited",
            `this key may ask ${ratePerSecond} times a second: ask less often`,
            seconds,
          );
        }
        tokens--;
      }
      underWay++;
    },
    giveBack() {
      underWay--;
    },
  };
}

export const noLimits: AllowanceLimits = { ratePerSecond: null, burst: null, concurrent: null };
