/** What fires, in a line for `vedette production`. Pure. */
import { severities } from "@vedette/protocol/alerts-api";
import type { AlertRecord } from "../../db/records.ts";

/** One line where a critical alert or a warning fires; none else. */
export function alertWarnings(firing: readonly AlertRecord[]): string[] {
  const counts = severities
    .filter((severity) => severity !== "info")
    .toReversed()
    .map((severity) => [firing.filter((one) => one.severity === severity).length, severity] as const)
    .filter(([count]) => count > 0)
    .map(([count, severity]) => `${count} ${severity}`);
  return counts.length === 0 ? [] : [`alerts fire (${counts.join(", ")}): vedette alert list`];
}
