/** A token bucket: `burst` at once, `perSecond` for ever. Time comes from the clock port. */
import type { Clock } from "../ports.ts";

export interface TokenBucket {
  /** Takes a token that may come only later. Answers the ms until it comes: 0 where it is there. */
  reserve(): number;
  /** Takes a token if there is one. */
  take(): boolean;
}

export function createTokenBucket(perSecond: number, burst: number, clock: Clock): TokenBucket {
  let tokens = burst;
  let at = clock.now();
  const refill = () => {
    const now = clock.now();
    tokens = Math.min(burst, tokens + (Math.max(0, now - at) / 1000) * perSecond);
    at = now;
  };
  return {
    reserve() {
      refill();
      tokens -= 1;
      return tokens >= 0 ? 0 : Math.ceil((-tokens / perSecond) * 1000);
    },
    take() {
      refill();
      if (tokens < 1) return false;
      tokens -= 1;
      return true;
    },
  };
}
