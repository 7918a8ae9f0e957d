/** How the audit names rollouts and experiments, and who decides on them without an operator: for who writes entries or reads them. */

import type { Rollout } from "../../db/rollout-records.ts";
import { controlPlane } from "../../machine-actors.ts";

/** The actor of what the engine decides. */
export const machine = controlPlane;

/** The subject of its entries. */
export function subjectOf({ id, experiment }: Pick<Rollout, "id" | "experiment">): string {
  return `${experiment ? "experiment" : "rollout"}-${id}`;
}
