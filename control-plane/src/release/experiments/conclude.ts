/** Whether an experiment is over, and why. Pure; the rollout engine asks it where a release would end its stage. */
import type { Rollout } from "../../db/rollout-records.ts";

/** Why it ends now, for people; null: it goes on. */
export function whyConcluded({ experiment, verdict }: Rollout, now: number): string | null {
  const result = verdict?.result;
  if (!experiment) return null;
  const found = result?.why ?? "nothing was measured";
  if (
    experiment.minEffect !== null &&
    (result?.says === "better" || result?.says === "worse" || result?.says === "same")
  ) {
    return found;
  }
  if (experiment.until !== null && now >= Date.parse(experiment.until)) return `its time is over: ${found}`;
  return null;
}
