/** How many devices may be taken now. Pure. */
import type { RolloutPolicy } from "@vedette/protocol/rollout";
import type { RampState } from "../../db/rollout-records.ts";

type Ramp = RolloutPolicy["ramp"];
const hour = 3_600_000;

/** A constant ramp in whole devices: `most` within any `within` ms. */
function constant(perHour: number): { most: number; within: number } {
  const most = Math.ceil(perHour);
  return { most, within: (most / perHour) * hour };
}
/** When the present hour of an exponential ramp began, and how many it may take. */
function exponential(
  ramp: { first: number; factor: number },
  from: number,
  now: number,
): [since: number, most: number] {
  const n = Math.max(0, Math.floor((now - from) / hour));
  return [from + n * hour, Math.min(1e9, Math.floor(ramp.first * ramp.factor ** n))];
}

/** @param now UTC ms. */
export function rampRoom(ramp: Ramp, { from, takings }: RampState, now: number): number {
  if (ramp === null) return Number.POSITIVE_INFINITY;
  if ("perHour" in ramp) {
    const { most, within } = constant(ramp.perHour);
    return Math.max(0, most - takings.filter((at) => at > now - within).length);
  }
  const [since, most] = exponential(ramp, from ?? now, now);
  return Math.max(0, most - takings.filter((at) => at >= since).length);
}

/** What is remembered after so many were taken now. */
export function taken(ramp: Ramp, { from, takings }: RampState, count: number, now: number): RampState {
  const begun = from ?? now;
  if (ramp === null) return { from: begun, takings: [] };
  const since = "perHour" in ramp ? now - constant(ramp.perHour).within : exponential(ramp, begun, now)[0];
  const kept = takings.filter((at) => at >= since);
  return { from: begun, takings: [...kept, ...Array.from({ length: count }, () => now)] };
}

/** An exponential ramp does not climb while a rollout is paused: its hours are put off. */
export function delayRamp(ramp: Ramp, state: RampState, ms: number): RampState {
  if (ramp === null || "perHour" in ramp || state.from === null) return state;
  return { from: state.from + ms, takings: state.takings.map((at) => at + ms) };
}
