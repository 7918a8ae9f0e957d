/** The log for somebody who sits at a terminal: what went wrong, one line each; what went well is told by the command. */
import type { Logger } from "./ports.ts";
import { printableLine } from "./printable.ts";

export function createPlainLog(write: (text: string) => void): Logger {
  const line =
    (level: string) =>
    (event: string, fields: Record<string, unknown> = {}) => {
      const told = Object.entries(fields).flatMap(([name, value]) =>
        name === "stack" || value === undefined
          ? []
          : [`${name} ${typeof value === "string" ? value : JSON.stringify(value)}`],
      );
      // What devices send may stand in a field, and control characters would rewrite the terminal.
      write(`${printableLine(`${level}: ${event}${told.length > 0 ? `: ${told.join(", ")}` : ""}`, " ")}\n`);
    };
  return { debug: () => undefined, info: () => undefined, warn: line("warning"), error: line("error") };
}
