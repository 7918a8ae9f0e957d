/** How the audit names rollouts and experiments, and who decides on them without an operator: for who writes entries or reads them. */

import type { Rollout } from "../../db/rollout-records.ts";
import { controlPlane } from "../../machine-actors.ts";

/** The actor of what the engine decides. */
export const machine = controlPlane;

/** What its number is of. */
export function kindOf({ experiment }: Pick<Rollout, "experiment">): "rollout" | "experiment" {
  return experiment ? "experiment" : "rollout";
}

/** The subject of its entries. */
export function subjectOf(rollout: Pick<Rollout, "id" | "experiment">): string {
  return `${kindOf(rollout)}-${rollout.id}`;
}
