/** What a broker needs beside itself: a fleet that lets everyone in, and a log that says only what is wrong. */
import type { Clock, Fleet, Logger } from "../../../control-plane/src/ports.ts";

export const site = "bench";

export const clock: Clock = {
  now: () => Date.now(),
  after(ms, call) {
    const timer = setTimeout(call, ms);
    return () => clearTimeout(timer);
  },
};
export const logger: Logger = {
  debug: () => undefined,
  info: () => undefined,
  warn: (event, fields) => console.warn(event, fields),
  error: (event, fields) => console.error(event, fields),
};
/** For an hour: longer than any measurement. */
export const letIn = async (): Promise<number> => Date.now() + 3_600_000;
export const openHouse: Fleet = {
  authenticate: letIn,
  open: async (_, __, text) => text,
  answer: async () => "{}",
  reported: async () => undefined,
  presence: async () => undefined,
  seen: async () => undefined,
  heartbeat: async () => undefined,
  drift: async (_, { digest, window: { epoch, n } }) => ({ digest, epoch, n }),
  shadow: async (_, { window: { epoch, n } }) => ({ epoch, n }),
  commandDone: async () => undefined,
};
