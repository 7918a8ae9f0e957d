/** Clock of a page's worker. */
import type { Clock } from "../core/ports.ts";

/** Longest delay that a browser's timer keeps, in ms; a longer one would fire at once. */
const longestMs = 2 ** 31 - 1;

export const webClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, call) {
    const timer = setTimeout(call, Math.min(Math.max(0, ms), longestMs));
    return () => clearTimeout(timer);
  },
};
