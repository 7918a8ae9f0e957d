/** Logger of a page: the developer tools' console, one line an event. */
import type { Logger } from "../core/ports.ts";

export const consoleLogger: Logger = {
  info: (event, fields) => console.info(`vedette ${event}`, fields ?? ""),
  warn: (event, fields) => console.warn(`vedette ${event}`, fields ?? ""),
  error: (event, fields) => console.error(`vedette ${event}`, fields ?? ""),
};
