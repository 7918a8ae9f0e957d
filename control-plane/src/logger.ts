/** The one way to log: an event's name and its fields, as JSON lines. `main.ts` makes one and hands it to every room. */
import { pino } from "pino";
import type { Logger } from "./ports.ts";

/** JSON lines on stderr, so that stdout stays free for what a command answers. */
export function createLogger(level: "debug" | "info" | "warn" | "error" | "silent" = "info"): Logger {
  const log = pino({ level, base: null }, pino.destination({ fd: 2, sync: true }));
  return {
    info: (event, fields = {}) => log.info(fields, event),
    debug: (event, fields = {}) => log.debug(fields, event),
    warn: (event, fields = {}) => log.warn(fields, event),
    error: (event, fields = {}) => log.error(fields, event),
  };
}
