/**
 * What one device's facts make of its member: a pure table.
 *
 *     waiting ──taken──▶ updating ──served──▶ counted ──serves another──▶ reverted ──served──▶ counted
 *        ▲                  │  │                 │                           │
 *        │ retried          │  └──too long──▶ timed_out ──served──▶ counted  └──too long──▶ timed_out
 *        └── failed ◀──── rejected (from any of them): given nothing any more, until it is retried
 *
 * One that is away is `offline`, apart; what it was given and never followed is taken back, so that it is taken anew, within
 * limits and window, once it is there again. One that may not run the candidate (any more), has no memory for both
 * versions, or is not in the fleet any more (also where it failed: it may have lied) is `left_out`.
 */
import type { MemberState } from "@vedette/protocol/rollout";
import type { Member, Rollout } from "../../db/rollout-records.ts";
import { leftOut, stranded } from "./cohort.ts";
import type { DeviceFacts } from "./world.ts";

/** Whether it has what its kind says, and does not count yet: also where it is away, until it is timed out. */
export function inFlight({ kind, given, state }: Member): boolean {
  return given === kind && (state === "updating" || state === "reverted" || state === "offline");
}

/**
 * Whether a stage still waits for it. Not for one that had its time before, and is taken again because it was away: a page
 * that is opened for some seconds each hour would hold it up for ever.
 */
export function waitedFor(member: Member, timeoutMinutes: number, now: number): boolean {
  const { state, takenAt } = member;
  if (state === "reverted") return true;
  const late = takenAt !== null && now - takenAt >= timeoutMinutes * 60_000;
  return (state === "waiting" || state === "updating") && !late;
}

/** @param device undefined where it is not in the fleet any more. Answers the very same member where nothing changed. */
export function stepMember(rollout: Rollout, member: Member, device: DeviceFacts | undefined, now: number): Member {
  const become = (state: MemberState, reason: string | null, over: Partial<Member> = {}): Member => {
    const since = state === member.state ? member.since : now;
    const next = { ...member, ...over, state, since, reason };
    return sameMember(member, next) ? member : next;
  };
  const nothing = { given: null, reached: false } as const;
  if (!device) return become("left_out", "it is not in the fleet any more", nothing);
  if (member.kind === "control") return device.online ? become("counted", null) : become("offline", "it is away");
  if (member.state === "failed") return member;
  const out = leftOut(rollout, device, member.kind);
  // One that has the candidate keeps it where what it would return to was revoked: `advance` pauses, and says so.
  const keeps = member.given !== null && out === stranded(device);
  if (out !== null && !keeps) return become("left_out", out, nothing);

  const fresh = member.given !== null && device.reportedRev > member.takenRev;
  const { progress } = device;
  if (fresh && progress.kind === "rejected") return become("failed", progress.why, nothing);
  if (member.given !== member.kind) return stepWaiting(member, device, rollout.policy.timeoutMinutes, now, become);

  const reached = member.reached || (fresh && progress.kind !== "nothing");
  if (fresh && served(progress, member) >= rollout.policy.served) return become("counted", null, { reached });
  if (member.state === "counted") {
    // A counter that a crash set back is no reversion; nor is a version beside the incumbent that is being loaded again.
    const stands = !fresh || member.kind !== "canary" || progress.kind === "answering";
    return stands ? member : become("reverted", "it had counted, and serves another version now", { reached });
  }
  // It keeps what it was given: so it goes on saying so, and takes part once it can.
  if (fresh && progress.kind === "unable" && member.kind !== "canary")
    return become("left_out", progress.why, { reached });
  if (member.state === "timed_out" && (reached || device.online))
    return become("timed_out", member.reason, { reached });
  if (!device.online && !reached) return become("offline", "it is away", nothing);
  const begun = member.state === "reverted" ? member.since : (member.takenAt ?? member.since);
  const late = rollout.policy.timeoutMinutes * 60_000;
  const how = told(progress, member, rollout.policy.served, device.overBudget);
  if (now - begun >= late)
    return become("timed_out", `not after ${minutesOf(rollout.policy.timeoutMinutes)}: ${how}`, { reached });
  if (!device.online) return become("offline", `it is away; ${how}`, { reached });
  return become(member.state === "reverted" ? "reverted" : "updating", how, { reached });
}

/** One that its cohort named, and that was not taken yet (or is asked beside, and not taken to answer). */
function stepWaiting(
  member: Member,
  device: DeviceFacts,
  timeoutMinutes: number,
  now: number,
  become: (state: MemberState, reason: string | null) => Member,
): Member {
  if (!device.online) return become("offline", "it is away");
  if (!device.overBudget) return become("waiting", member.state === "waiting" ? member.reason : null);
  const reason = "it is over its data budget";
  // Its own limit must not hold up all others for ever.
  const late = member.state === "waiting" && member.reason === reason && now - member.since >= timeoutMinutes * 60_000;
  return become(late || member.state === "timed_out" ? "timed_out" : "waiting", reason);
}

function served(progress: DeviceFacts["progress"], { kind }: Member): number {
  if (kind === "shadow") return progress.kind === "asked" ? progress.pairs : 0;
  return progress.kind === "answering" ? progress.served : 0;
}

function told(progress: DeviceFacts["progress"], member: Member, wanted: number, overBudget: boolean): string {
  if (overBudget) return "it waits for its data budget";
  if (progress.kind === "nothing") return "it has not followed yet";
  if (progress.kind === "updating") return progress.why ?? "it fetches or proves the version";
  const what = member.kind === "shadow" ? "pairs asked" : "predictions served";
  return `${served(progress, member)} of ${wanted} ${what}`;
}

function minutesOf(n: number): string {
  return n === 1 ? "1 minute" : `${n} minutes`;
}

function sameMember(a: Member, b: Member): boolean {
  return (Object.keys(a) as (keyof Member)[]).every((key) => a[key] === b[key]);
}
