/** What fires, in a line for `vedette production`. Pure. */
import { severities } from "@vedette/protocol/alerts-api";
import type { AlertRecord } from "../../db/records.ts";

/** One line where a critical alert or a warning fires; none else. One that is quiet is of nothing that is wrong now. */
export function alertWarnings(open: readonly AlertRecord[]): string[] {
  const firing = open.filter(({ quietSince }) => quietSince === null);
  const counts = severities
    .filter((severity) => severity !== "info")
    .toReversed()
    .map((severity) => [firing.filter((one) => one.severity === severity).length, severity] as const)
    .filter(([count]) => count > 0)
    .map(([count, severity]) => `${count} ${severity}`);
  return counts.length === 0 ? [] : [`alerts fire (${counts.join(", ")}): vedette alert list`];
}
