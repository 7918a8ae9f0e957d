/** Port Logger: one JSON line an event, to stderr, so that stdout carries answers only. */
import { pino } from "pino";
import type { Logger } from "../core/ports.ts";

/** @param level lowest level that is written. */
export function createPinoLogger(level: "debug" | "info" | "warn" | "error" = "info"): Logger {
  const log = pino(
    {
      level,
      base: null,
      timestamp: pino.stdTimeFunctions.isoTime,
      formatters: { level: (label) => ({ level: label }) },
    },
    pino.destination({ fd: 2, sync: true }),
  );
  return {
    info: (event, fields) => log.info(fields ?? {}, event),
    warn: (event, fields) => log.warn(fields ?? {}, event),
    error: (event, fields) => log.error(fields ?? {}, event),
  };
}
