/** A clock that stands until a test moves it. */
import type { Clock, Logger } from "../src/ports.ts";

export interface ManualClock extends Clock {
  /** Moves the clock on and calls what is due. */
  advance(ms: number): void;
}

export function manualClock(start = Date.parse("2026-11-23T12:00:00Z")): ManualClock {
  let now = start;
  let waiting: { at: number; call: () => void }[] = [];
  return {
    now: () => now,
    after(ms, call) {
      const entry = { at: now + ms, call };
      waiting.push(entry);
      return () => {
        waiting = waiting.filter((one) => one !== entry);
      };
    },
    advance(ms) {
      now += ms;
      const due = waiting.filter((one) => one.at <= now);
      waiting = waiting.filter((one) => one.at > now);
      for (const { call } of due) call();
    },
  };
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
