/** Who is taken now: in the order of the hash, within limit, ramp and window. Pure. */
import type { Member, RampState, Rollout } from "../../db/rollout-records.ts";
import { inOrder, inScope, newInCohort } from "./cohort.ts";
import { inWindow } from "./maintenance.ts";
import { rampRoom, taken } from "./ramp.ts";
import { inFlight } from "./step-member.ts";
import type { DeviceFacts, World } from "./world.ts";

/** The members with those who newly belong to the stage's cohort; they wait until they are taken. */
export function growCohort(rollout: Rollout, world: World, now: number): ReadonlyMap<string, Member> {
  const stage = rollout.policy.stages[rollout.stage];
  const joined = stage ? newInCohort(rollout, stage, world.devices) : [];
  if (!stage || joined.length === 0) return rollout.members;
  const members = new Map(rollout.members);
  for (const agent of joined) {
    const before = members.get(agent);
    const moved = {
      ...{ kind: stage.kind, joinedAt: now, retakenAt: null, takenAt: null },
      ...{ state: "waiting" as const, since: now, reason: null },
    };
    // One that failed beside the incumbent is not made to answer.
    if (before?.state === "failed") members.set(agent, { ...before, kind: stage.kind });
    else if (before) members.set(agent, { ...before, ...moved });
    else members.set(agent, { agent, ...moved, given: null, takenRev: 0, reached: false });
  }
  return members;
}

/** Takes those who may be taken, and says of the others what they wait for. */
export function admit(
  rollout: Rollout,
  world: World,
  now: number,
): { members: ReadonlyMap<string, Member>; ramp: RampState; taken: readonly string[] } {
  const { policy, members } = rollout;
  const waiting = [...members.values()].filter(({ state }) => state === "waiting").map(({ agent }) => agent);
  if (waiting.length === 0) return { members, ramp: rollout.ramp, taken: [] };
  const facts = new Map(world.devices.map((device) => [device.agent, device]));
  const changed = new Map<string, Member>();
  const takenNow: string[] = [];
  const room = rampRoom(policy.ramp, rollout.ramp, now);
  const most = mostInFlight(rollout, world.devices);
  const free = most - [...members.values()].filter(inFlight).length;
  for (const agent of inOrder(rollout.salt, waiting)) {
    const member = members.get(agent);
    const device = facts.get(agent);
    if (!member || !device) continue;
    if (!device.online) {
      changed.set(agent, { ...member, state: "offline", since: now, reason: "it is away" });
      continue;
    }
    const waits = waitsFor(rollout, member, device, world.wall);
    const crowded =
      takenNow.length >= free
        ? `as many as may be under way at once are (${most})`
        : takenNow.length >= room
          ? "the ramp takes no more for now"
          : null;
    const reason = waits ?? crowded;
    if (reason !== null) {
      if (reason !== member.reason) changed.set(agent, { ...member, reason });
      continue;
    }
    takenNow.push(agent);
    const given = { given: member.kind, takenRev: device.rev, ...timeOf(member, policy.timeoutMinutes, now) };
    const told = "it has not followed yet";
    changed.set(agent, { ...member, ...given, state: "updating", since: now, reached: false, reason: told });
  }
  const ramp = takenNow.length > 0 ? taken(policy.ramp, rollout.ramp, takenNow.length, now) : rollout.ramp;
  return { members: changed.size === 0 ? members : new Map([...members, ...changed]), ramp, taken: takenNow };
}

/**
 * Who comes and goes is taken again and again, and has its time once; where that is over it has another one, or the in-flight limit
 * would not hold it: for which, like for one that joins late, the stage does not wait.
 */
function timeOf(member: Member, timeoutMinutes: number, now: number): Pick<Member, "retakenAt" | "takenAt"> {
  const { retakenAt, takenAt } = member;
  if (takenAt === null) return { retakenAt, takenAt: now };
  return now - takenAt < timeoutMinutes * 60_000 ? { retakenAt, takenAt } : { retakenAt: now, takenAt: now };
}

/**
 * Where the policy does not say: enough that a large fleet is not passed through by the hundred, and half of the share of failing
 * devices that ends a rollout (`failures`).
 */
function mostInFlight(rollout: Rollout, devices: readonly DeviceFacts[]): number {
  return rollout.policy.inFlight ?? Math.max(100, Math.floor(inScope(rollout, devices).length / 10));
}

function waitsFor(rollout: Rollout, member: Member, device: DeviceFacts, wall: number): string | null {
  if (device.overBudget) return "it is over its data budget";
  if (!inWindow(rollout.policy.window, device.labels, wall)) return "it is outside its maintenance window";
  // Until the director has taken back what it was given before, a new try would have no revision of its own.
  if (member.given === null && device.holds !== null) return "what it was given before is being taken back";
  return null;
}
