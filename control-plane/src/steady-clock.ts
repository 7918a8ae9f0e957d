/**
 * A clock that never goes back, for what counts by spans of time: a machine whose clock is set back must not wait that long
 * for what is past, nor hold what comes now for older than what it follows.
 */
import type { Clock } from "./ports.ts";

/**
 * While the clock is behind what this one said, half of the time that passes is added; so it is caught up with after twice as
 * long as it was set back, and nothing stands still meanwhile.
 * @param last UTC ms: what it last said before a restart, as far as that is known.
 */
export function steadyClock(clock: Clock, last = Number.NEGATIVE_INFINITY): Clock {
  let wall = clock.now();
  let steady = Math.max(wall, last);
  return {
    now() {
      const now = clock.now();
      steady = Math.max(now, steady + Math.max(0, now - wall) / 2);
      wall = now;
      return Math.floor(steady);
    },
    after: (ms, call) => clock.after(ms, call),
  };
}
