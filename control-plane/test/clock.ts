/** A clock that stands until a test moves it. */
import type { Clock, Logger } from "../src/ports.ts";

export interface ManualClock extends Clock {
  /** Moves the clock on and calls what is due. */
  advance(ms: number): void;
  /** The same, to a moment. */
  set(at: number): void;
}

/** Where manual clocks start, UTC ms. */
export const noon = Date.UTC(2026, 10, 23, 12);

export function manualClock(start = noon): ManualClock {
  let now = start;
  let waiting: { at: number; call: () => void }[] = [];
  const set = (at: number) => {
    now = at;
    const due = waiting.filter((one) => one.at <= now);
    waiting = waiting.filter((one) => one.at > now);
    for (const { call } of due) call();
  };
  return {
    now: () => now,
    after(ms, call) {
      const entry = { at: now + ms, call };
      waiting.push(entry);
      return () => {
        waiting = waiting.filter((one) => one !== entry);
      };
    },
    advance: (ms) => set(now + ms),
    set,
  };
}

export const silentLogger: Logger = { debug() {}, info() {}, warn() {}, error() {} };
