/** Which time counts for a rollout's limits, and who came in time for its stage. Pure. */
import type { Member, Outage, Rollout } from "../db/rollout-records.ts";

/** How much of a span somebody looked: for limits that go by what devices told, whose moments stay what they were. UTC ms. */
export function lookedMs(outages: readonly Outage[], from: number, to: number): number {
  const missed = outages.map((one) => Math.max(0, Math.min(to, one.to) - Math.max(from, one.from)));
  return to - from - missed.reduce((a, b) => a + b, 0);
}

/** Whether it was there as the stage began: a fleet that grows every minute must not hold up its own release. */
export function cameInTime({ stageSince }: Rollout, { joinedAt, retakenAt }: Member): boolean {
  return stageSince === null || (retakenAt ?? joinedAt) <= stageSince;
}
