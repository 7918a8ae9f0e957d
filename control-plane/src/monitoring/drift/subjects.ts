/** What has a detector of its own: each device, each cohort of devices that share a label's value, and the fleet. Pure. */
import type { DriftScope } from "@vedette/protocol/drift";

export interface Member {
  readonly agent: string;
  readonly labels: Readonly<Record<string, string>>;
}
export interface Cohort {
  readonly label: string;
  readonly value: string;
  readonly agents: readonly string[];
}

/** A label with more values than this is a name, and no group. */
const mostValues = 64;

/** How a scope is called in the database. */
export function subjectOf(scope: DriftScope): string {
  if (scope.kind === "device") return `device:${scope.agent}`;
  return scope.kind === "fleet" ? "fleet" : `cohort:${scope.label}=${scope.value}`;
}

/** A device's, by its name alone. */
export const deviceSubject = (agent: string): string => subjectOf({ kind: "device", agent });

/** Every group of two or more, but not of all, that shares a label's value; in the order of the labels. */
export function cohortsOf(members: readonly Member[]): Cohort[] {
  const byLabel = new Map<string, Map<string, string[]>>();
  for (const { agent, labels } of members) {
    for (const [label, value] of Object.entries(labels)) {
      const values = byLabel.get(label) ?? new Map<string, string[]>();
      values.set(value, [...(values.get(value) ?? []), agent]);
      byLabel.set(label, values);
    }
  }
  return [...byLabel]
    .toSorted(([a], [b]) => (a < b ? -1 : 1))
    .filter(([, values]) => values.size <= mostValues)
    .flatMap(([label, values]) =>
      [...values]
        .toSorted(([a], [b]) => (a < b ? -1 : 1))
        .filter(([, agents]) => agents.length > 1 && agents.length < members.length)
        .map(([value, agents]) => ({ label, value, agents })),
    );
}

/** Rows that one device may count for in a round: twice what a typical one sent, so that no device is the fleet's voice. */
export function capRows(rows: readonly number[]): number {
  const sorted = rows.toSorted((a, b) => a - b);
  const half = sorted.length / 2;
  return (sorted[Math.ceil(half) - 1] ?? 0) + (sorted[Math.floor(half)] ?? 0);
}

/** What `subjectOf` called so; undefined where it is none of these. A label's name has no `=` (protocol/src/ids.ts). */
export function scopeOf(subject: string): DriftScope | undefined {
  const [, kind, rest = ""] = /^(device|cohort|fleet)(?::(.*))?$/s.exec(subject) ?? [];
  if (kind === "device") return { kind, agent: rest };
  if (kind !== "cohort") return kind === "fleet" ? { kind } : undefined;
  const at = rest.indexOf("=");
  return at < 0 ? undefined : { kind, label: rest.slice(0, at), value: rest.slice(at + 1) };
}

/** Where it drifts, for people. */
export function whereOf(scope: DriftScope): string {
  if (scope.kind === "fleet") return "the whole fleet";
  return scope.kind === "device" ? `device ${scope.agent}` : `devices with ${scope.label}=${scope.value}`;
}
