/** Ports Clock and Random of the machine. */
import { randomBytes } from "node:crypto";
import type { Clock, Random } from "../core/ports.ts";

export const systemClock: Clock = {
  now: () => Date.now(),
  monotonic: () => performance.now(),
  after(ms, call) {
    // Work keeps a process alive, such as sockets and threads; waiting alone does not.
    const timer = setTimeout(call, ms).unref();
    return () => clearTimeout(timer);
  },
};

export const systemRandom: Random = {
  bytes: (length) => new Uint8Array(randomBytes(length)),
  unit: () => Math.random(),
};
