/** Drift as an alert: what it is called, how bad it is, and what it is about. Whoever finds drift raises this. Pure. */
import type { Severity } from "@vedette/protocol/alerts-api";
import type { Raise } from "./alerts.ts";

export interface DriftFinding {
  readonly model: string;
  /** Null where it is of no published version. */
  readonly version: number | null;
  /** Where, as labels: `{agent: "gauge-1"}`, `{city: "seattle"}`; nothing of the whole fleet. */
  readonly where: Readonly<Record<string, string>>;
  /** Fields that moved, the most moved first. */
  readonly fields: readonly string[];
  /** What labels say of it: whether the model is worse for it. */
  readonly harm: "harmful" | "unknown" | "benign";
  /** For people: since when, over how much. */
  readonly detail: string;
  readonly key: string;
}

/** What keys of drift begin with that is raised and cleared at a watched server; the events of the fleet are others. */
export const watchedElsewhere = "drift/watch/";

/** Harm wakes somebody; what harms nobody can wait; of what is not known somebody should find out. */
const severities = { harmful: "critical", unknown: "warning", benign: "info" } as const satisfies Record<
  DriftFinding["harm"],
  Severity
>;
const consequences = {
  harmful: "Labels say that the model got worse with it.",
  unknown: "Whether it harms is not known: labels would tell.",
  benign: "Labels say that the model is as good as before.",
} as const satisfies Record<DriftFinding["harm"], string>;
const mostNamed = 6;

export function driftAlert({ model, version, where, fields, harm, detail, key }: DriftFinding): Raise {
  const named = fields.slice(0, mostNamed).join(", ");
  return {
    name: "VedetteDrift",
    severity: severities[harm],
    labels: { model, ...(version === null ? {} : { version: String(version) }), ...where },
    annotations: {
      summary: `${model} is asked what it was not trained on${named === "" ? "" : `: ${named}`}`,
      description: `${detail} ${consequences[harm]}`,
    },
    key,
  };
}
