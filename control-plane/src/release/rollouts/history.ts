/** What a rollout's history remembers of the world: only what changed, so that `rollout replay` can tell it again. Pure. */
import { isDeepStrictEqual } from "node:util";
import type { Act } from "./operate.ts";
import type { DeviceFacts, World } from "./world.ts";

/** One step of the history: what the world was told to be, or what an operator did. */
export type Changes =
  | { readonly act: Act }
  /** In which nobody looked, until then. */
  | { readonly missedMs: number }
  | {
      /** All there are, as after a restart: who is not among them is gone. */
      readonly whole?: true;
      readonly devices?: readonly DeviceFacts[];
      /** No longer in the fleet, or never of this rollout. */
      readonly gone?: readonly string[];
      readonly assignable?: World["assignable"];
      readonly gate?: World["gate"];
      readonly blockedBy?: number | null;
      readonly verdict?: World["verdict"];
    };

/** What was told so far, and when. */
export interface Told {
  readonly at: number;
  readonly world: World;
}

/**
 * Counters and verdicts grow all the time: they are told again once a minute at most, and of a rollout that has gone on for long
 * once in so great a part of its age. So a history grows by the logarithm of its age.
 */
const leastBetween = 60_000;
const partOfAge = 1 / 500;
/** Counters are told up to so many times what a device must serve to count: beyond it no policy is likely to ask. */
const servedTimes = 10;

/** As the history tells it. */
export function forHistory(device: DeviceFacts, served: number): DeviceFacts {
  const { progress } = device;
  const most = servedTimes * served;
  if (progress.kind === "answering" && progress.served > most)
    return { ...device, progress: { ...progress, served: most } };
  if (progress.kind === "asked" && progress.pairs > most) return { ...device, progress: { ...progress, pairs: most } };
  return device;
}

/**
 * @param devices those that the rollout is about. @param began when the rollout was started.
 * Answers undefined changes where there is nothing to tell yet.
 */
export function changesOf(
  before: Told | undefined,
  world: World,
  devices: readonly DeviceFacts[],
  { now, began }: { now: number; began: number },
): { changes: Changes | undefined; told: Told } {
  const { assignable, gate, blockedBy, verdict } = world;
  if (!before) {
    return {
      changes: { whole: true, devices, assignable, gate, blockedBy, verdict },
      told: { at: now, world: { ...world, devices } },
    };
  }
  const known = new Map(before.world.devices.map((device) => [device.agent, device]));
  const changed = devices.filter((device) => !isDeepStrictEqual(known.get(device.agent), device));
  const there = new Set(devices.map(({ agent }) => agent));
  const gone = [...known.keys()].filter((agent) => !there.has(agent));
  const changes: Changes = {
    ...(changed.length > 0 && { devices: changed }),
    ...(gone.length > 0 && { gone }),
    ...(assignable !== before.world.assignable && { assignable }),
    ...(!isDeepStrictEqual(gate, before.world.gate) && { gate }),
    ...(blockedBy !== before.world.blockedBy && { blockedBy }),
    ...(!isDeepStrictEqual(verdict, before.world.verdict) && { verdict }),
  };
  const onlyGrew =
    gone.length === 0 &&
    verdict?.verdict === before.world.verdict?.verdict &&
    changed.every((device) => grew(known.get(device.agent), device));
  const nothing = Object.keys(changes).length === 0;
  const between = Math.max(leastBetween, (now - began) * partOfAge);
  if (nothing || (onlyGrew && now - before.at < between)) return { changes: undefined, told: before };
  return { changes, told: { at: now, world: { ...world, devices } } };
}

/** Whether nothing but its counter is another. */
function grew(before: DeviceFacts | undefined, after: DeviceFacts): boolean {
  if (!before || before.progress.kind !== after.progress.kind) return false;
  return isDeepStrictEqual({ ...before, progress: null }, { ...after, progress: null });
}
