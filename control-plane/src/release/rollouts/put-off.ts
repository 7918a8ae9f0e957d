/**
 * Limits of time are of time in which devices could be heard: a control plane that was down for hours, or whose machine slept, gives
 * these hours back, instead of finding everybody late at its first look. Pure.
 */
import type { Member, Outage, Rollout } from "../../db/rollout-records.ts";
import type { Advanced } from "./advance.ts";
import { delayRamp } from "./ramp.ts";

/** Rounds are seconds apart, and a slow one takes a minute: what is longer is an outage. ms. */
const leastOutageMs = 5 * 60_000;

/**
 * Told twice of the same outage, as by a process that was killed before it noted that it had looked, it gives back nothing more.
 * @param missedMs in which nobody looked, until now. @param now UTC ms. Answers the very same rollout where it missed nothing.
 */
export function putOff(rollout: Rollout, missedMs: number, now: number): Advanced {
  const { createdAt, stageSince, outages } = rollout;
  // At each of these somebody looked; as a stage begins its outages are forgotten.
  const ms = Math.min(missedMs, now - Math.max(createdAt, stageSince ?? createdAt, outages.at(-1)?.to ?? createdAt));
  if (ms < leastOutageMs) return { rollout, decisions: [] };
  const later = <T extends number | null>(at: T) => (at === null ? at : Math.min(now, at + ms)) as T;
  const members = [...rollout.members.values()].map((member): Member => {
    const { state, since, takenAt } = member;
    // What it waits for in these states has a limit of its own.
    const waits = state === "waiting" || state === "reverted";
    return { ...member, takenAt: later(takenAt), since: waits ? later(since) : since };
  });
  const next: Rollout = {
    ...rollout,
    undecidedFrom: later(rollout.undecidedFrom),
    outages: withOutage(outages, { from: now - ms, to: now }),
    // What is paused puts its ramp off when it is resumed.
    ramp: rollout.state === "paused" ? rollout.ramp : delayRamp(rollout.policy.ramp, rollout.ramp, ms),
    members: new Map(members.map((member) => [member.agent, member])),
  };
  const minutes = Math.round(ms / 60_000);
  const why = `nobody looked for ${minutes} minutes, so limits of time end as much later`;
  return { rollout: next, decisions: [{ action: "rollout.put_off", detail: { minutes, why } }] };
}

/** Those without a look between them, as where each look takes too long, are one: the list stays short. */
function withOutage(outages: readonly Outage[], next: Outage): readonly Outage[] {
  const last = outages.at(-1);
  if (last?.to !== next.from) return [...outages, next];
  return [...outages.slice(0, -1), { from: last.from, to: next.to }];
}
