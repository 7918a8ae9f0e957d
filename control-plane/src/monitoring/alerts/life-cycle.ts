/**
 * The life of one alert, as a pure step: no clock, no storage. alerts.ts holds the states and writes them down.
 *
 *             raise                       tick, quiet for `calmMs`
 *     (none) ───────▶ firing ◀──▶ quiet ──────────────────────────▶ resolved
 *                       │  clear / raise                            (for ever: what is raised later is another alert)
 *                       └ ack: no more repeats while it gets no worse
 *
 * What comes and goes is one alert and not twenty: an alert resolves once nothing was wrong for a while.
 */
import { type Severity, severities } from "@vedette/protocol/alerts-api";
import type { AlertRecord } from "../../db/records.ts";

/** How long nothing may be wrong before an alert is resolved. */
export const calmMs = 5 * 60_000;

/** What of an alert changes by itself. */
export type AlertLife = Pick<
  AlertRecord,
  "state" | "severity" | "startsAt" | "changedAt" | "quietSince" | "endsAt" | "ack"
>;
export type AlertEvent =
  | { readonly kind: "raise"; readonly at: number; readonly severity: Severity }
  | { readonly kind: "clear" | "tick"; readonly at: number }
  | { readonly kind: "ack"; readonly at: number; readonly by: string; readonly reason: string | null };

/**
 * The state after an event; the same object where nothing changed.
 * @param life undefined: nothing fires. What is resolved stays as it is: its caller raises anew on undefined.
 */
export function step(life: AlertLife | undefined, event: AlertEvent): AlertLife | undefined {
  const { at } = event;
  if (!life) {
    if (event.kind !== "raise") return undefined;
    const { severity } = event;
    return { state: "firing", severity, startsAt: at, changedAt: at, quietSince: null, endsAt: null, ack: null };
  }
  if (life.state === "resolved") return life;
  switch (event.kind) {
    case "raise":
      if (event.severity !== life.severity)
        return { ...life, severity: event.severity, changedAt: at, quietSince: null };
      return life.quietSince === null ? life : { ...life, quietSince: null };
    case "clear":
      return life.quietSince === null ? { ...life, quietSince: at } : life;
    case "tick":
      // The end is when it was over, not when we were sure of it.
      if (life.quietSince === null) return life;
      // The clock was set back: the calm is counted from now.
      if (life.quietSince > at) return { ...life, quietSince: at };
      if (at - life.quietSince < calmMs) return life;
      return { ...life, state: "resolved", changedAt: at, endsAt: life.quietSince };
    case "ack":
      if (covered(life)) return life;
      return { ...life, ack: { by: event.by, at, reason: event.reason, severity: life.severity } };
  }
}

/** Whether somebody took it on as bad as it is now. */
export function covered({ ack, severity }: Pick<AlertLife, "ack" | "severity">): boolean {
  return ack !== null && atLeast(ack.severity, severity);
}

export function atLeast(severity: Severity, least: Severity): boolean {
  return severities.indexOf(severity) >= severities.indexOf(least);
}
