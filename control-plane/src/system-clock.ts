/** The real clock. Rooms take `Clock` from ports.ts, so that tests bring their own. */
import type { Clock } from "./ports.ts";

export const systemClock: Clock = {
  now: () => Date.now(),
  after: (ms, call) => {
    const timer = setTimeout(call, ms);
    // A timer that waits is no reason to keep the process alive.
    timer.unref();
    return () => clearTimeout(timer);
  },
};
