/**
 * Runs a policy over a recorded history: the same engine, told the same world at the same moments. Pure. What devices did
 * does not depend on the replayed decisions: one that the other policy would have taken earlier has nothing to tell before it
 * really was, and one that it would not have taken tells all the same; `limits` says so.
 */
import { setImmediate } from "node:timers/promises";
import { isDeepStrictEqual } from "node:util";
import { VedetteError } from "@vedette/protocol/errors";
import type { RolloutPolicy } from "@vedette/protocol/rollout";
import type { Rollout } from "../../db/rollout-records.ts";
import { advance, type Decision, isOver } from "./advance.ts";
import type { Changes } from "./history.ts";
import { notBegun } from "./not-begun.ts";
import { operate } from "./operate.ts";
import { putOff } from "./put-off.ts";
import type { DeviceFacts, Judge, World } from "./world.ts";

export interface ReplayedRollout {
  readonly rollout: Rollout;
  readonly decisions: readonly (Decision & { readonly at: number })[];
}

/**
 * @param steps in their order.
 * @param judge of the evidence as it was at a moment; not asked where the policy judges as the recorded one did.
 */
export async function replay(
  rollout: Rollout,
  policy: RolloutPolicy,
  steps: readonly { readonly at: number; readonly changes: Changes }[],
  judge: Judge,
): Promise<ReplayedRollout> {
  const asRecorded = judgesAlike(policy, rollout.policy);
  let now: Rollout = { ...rollout, ...notBegun, policy };
  const decisions: (Decision & { at: number })[] = [];
  const devices = new Map<string, DeviceFacts>();
  let world: Omit<World, "devices" | "wall"> = {
    assignable: "yes",
    gate: { passed: true, why: "" },
    blockedBy: null,
    verdict: null,
  };
  for (const { at, changes } of steps) {
    if (isOver(now.state)) break;
    // Weeks of a large fleet take a while: others have their turn in between.
    await setImmediate();
    if ("act" in changes) {
      // What an operator did stands, where there is something to do it with.
      const done = attempt(() => operate(now, changes.act, { reason: null }, at));
      if (!done) continue;
      now = done.rollout;
      decisions.push(...done.decisions.map((one) => ({ ...one, at })));
      continue;
    }
    if ("missedMs" in changes) {
      const late = putOff(now, changes.missedMs, at);
      now = late.rollout;
      decisions.push(...late.decisions.map((one) => ({ ...one, at })));
      continue;
    }
    if (changes.whole) devices.clear();
    for (const device of changes.devices ?? []) devices.set(device.agent, device);
    for (const agent of changes.gone ?? []) devices.delete(agent);
    const { whole: _whole, devices: _devices, gone: _gone, ...rest } = changes;
    world = { ...world, ...rest };
    const all = [...devices.values()].map((device) => asReplayed(now, device));
    const judged = asRecorded ? world.verdict : await judge(now, all, at);
    const verdict = now.members.size === 0 ? null : judged;
    // A history does not tell the clock on the wall apart.
    const advanced = advance(now, { ...world, wall: at, verdict, devices: all }, at);
    now = advanced.rollout;
    decisions.push(...advanced.decisions.map((one) => ({ ...one, at })));
  }
  return { rollout: now, decisions };
}

/** Whether the recorded verdicts are those of both policies. */
export function judgesAlike(one: RolloutPolicy, other: RolloutPolicy): boolean {
  return isDeepStrictEqual([one.metrics, one.errors], [other.metrics, other.errors]);
}

/** A device's report was about a revision of then: here it is about the taking that the replay decided. */
function asReplayed(rollout: Rollout, device: DeviceFacts): DeviceFacts {
  const member = rollout.members.get(device.agent);
  const follows = device.holds !== null && device.reportedRev >= device.rev;
  return { ...device, rev: 0, reportedRev: member?.given && follows ? 1 : 0, holds: null };
}

function attempt<T>(work: () => T): T | undefined {
  try {
    return work();
  } catch (error) {
    if (error instanceof VedetteError && error.code === "conflict") return undefined;
    throw error;
  }
}
