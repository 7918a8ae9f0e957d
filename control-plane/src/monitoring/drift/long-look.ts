/**
 * A second look at a device, over all its newest windows together. Its detector bets against what a finite reference does not
 * know (the tolerance), and of a reference of few independent rows (one room's week, at one row in 256) that is more than most
 * shifts: it would be silent for ever. Two-sample tests know of both samples what they do not know, and so see such a shift.
 *
 * Looks come when a detector has seen 8, 16, 32 … 256 windows' rows, and every 256 windows from then on, at the newest so many.
 * A look at w windows has the level w/(6·threshold·devices): there are six lengths, and the expected number of false alarms of
 * all devices' looks together is T/threshold in T windows at most, by the union bound, whatever hangs together. Pure.
 */
import type { DriftPolicy } from "@vedette/protocol/drift";
import { effectOf, type JudgedFeature } from "@vedette/protocol/judge-drift";

/** Windows of a look. */
const lengths = [8, 16, 32, 64, 128, 256] as const;
const longest = 256;

/**
 * Peak of the normal density: a shift of so many standard deviations, if small, is a KS distance of this many times as much.
 */
const ksOfShift = 0.4;

/**
 * How many windows to look back on, after a round; null: no look is due. The numbers are of windows' worth of rows, that the
 * detector saw until the round before, and until now.
 */
export function lookDue(before: number, now: number): number | null {
  if (Math.floor(now / longest) > Math.floor(before / longest)) return longest;
  return lengths.findLast((length) => before < length && now >= length) ?? null;
}

/**
 * Names of the features that a look finds moved, the most moved first: by p-value against its level, shared among the features'
 * tests of value and of missing, and by more than the policy's dead zone.
 * @param given.windows its length. @param given.threshold windows to a false alarm, of all devices together.
 */
export function lookAt(
  features: readonly JudgedFeature[],
  given: {
    readonly windows: number;
    readonly threshold: number;
    readonly devices: number;
    readonly policy: Pick<DriftPolicy, "notice" | "deadZone">;
  },
): string[] {
  const { windows, threshold, devices, policy } = given;
  const level = Math.min(policy.notice, windows / (lengths.length * threshold * devices)) / (2 * features.length);
  return features
    .filter(({ pMissing, pValue, verdict }) => Math.min(pMissing, verdict === "insufficient" ? 1 : pValue) < level)
    .filter((feature) => feature.pMissing < level || effectOf(feature) >= ksOfShift * policy.deadZone)
    .toSorted((a, b) => effectOf(b) - effectOf(a))
    .map(({ name }) => name);
}
