/** The latest moment that live rollouts know of: a control plane that is started again must not be before it. Pure. */
import type { Rollout } from "../../db/rollout-records.ts";

/** UTC ms; minus infinity where there is none. */
export function lastMoment(live: readonly Rollout[]): number {
  let last = Number.NEGATIVE_INFINITY;
  const see = (at: number | null | undefined) => {
    if (at) last = Math.max(last, at);
  };
  for (const { createdAt, stageSince, undecidedFrom, pausedAt, ramp, outages, members } of live) {
    for (const at of [createdAt, stageSince, undecidedFrom, pausedAt, ramp.takings.at(-1), outages.at(-1)?.to]) see(at);
    for (const { since, joinedAt, retakenAt, takenAt } of members.values())
      for (const at of [since, joinedAt, retakenAt, takenAt]) see(at);
  }
  return last;
}
