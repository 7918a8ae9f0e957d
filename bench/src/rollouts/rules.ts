/**
 * Who decides instead of our engine: three rules, re-implemented from their documentation and given what they ask for. Each is
 * shown the sums so far, once an hour, and says whether it has decided.
 */
import { margin } from "./cells.ts";
import type { Hour } from "./generate.ts";
import type { Said } from "./outcome.ts";

export interface Rule {
  /** @param hour what came in this hour. @param all with all before it. */
  look(hour: Hour, all: Hour): Said;
}

export const rules = {
  /** A test at one planned size (both errors 5 %, McNemar's variance), never before and never after. */
  "fixed horizon": (): Rule => ({
    look(_, { pairs, onlyCandidateRight, onlyIncumbentRight }) {
      const z = 1.645;
      const planned = Math.ceil(((2 * z) ** 2 * 2 * 0.05) / margin ** 2);
      if (pairs < planned) return "undecided";
      const difference = (onlyIncumbentRight - onlyCandidateRight) / pairs;
      const deviation = Math.sqrt(Math.max(onlyIncumbentRight + onlyCandidateRight, 1)) / pairs;
      return difference + z * deviation < margin ? "promote" : "rollback";
    },
  }),
  /**
   * Flagger's analysis (docs.flagger.app, "Metrics analysis"): each interval the canary's metric is held against a fixed
   * threshold, here the incumbent's accuracy less the margin; five checks that fail roll back, ten that pass promote.
   */
  "Flagger's threshold": (): Rule => {
    let [failed, passed] = [0, 0];
    return {
      look({ pairs, onlyCandidateRight, onlyIncumbentRight }) {
        if (pairs === 0) return "undecided";
        if ((onlyIncumbentRight - onlyCandidateRight) / pairs > margin) failed++;
        else passed++;
        return failed >= 5 ? "rollback" : passed >= 10 ? "promote" : "undecided";
      },
    };
  },
  /**
   * Kayenta's judge (Netflix's ACA judge as its documentation tells): Mann–Whitney of the metric's samples by the hour,
   * canary against baseline, at 98 %; worse by the interval of the Hodges–Lehmann estimate beyond a quarter of it fails. Looked at
   * each hour from the tenth on, up to fifty; what has not failed then is promoted.
   */
  "Kayenta's Mann–Whitney": (): Rule => {
    const canary: number[] = [];
    const baseline: number[] = [];
    return {
      look({ pairs, onlyCandidateRight, onlyIncumbentRight }) {
        if (pairs === 0) return "undecided";
        // Its two arms, as error rates: what both got wrong is the same in both.
        canary.push(onlyIncumbentRight / pairs);
        baseline.push(onlyCandidateRight / pairs);
        if (canary.length < 10) return "undecided";
        if (isHigher(canary, baseline)) return "rollback";
        return canary.length >= 50 ? "promote" : "undecided";
      },
    };
  },
} as const satisfies Record<string, () => Rule>;

/** Whether the 98 % interval of the Hodges–Lehmann shift (Mann & Whitney's U, normal approximation) lies above a quarter of it. */
function isHigher(a: readonly number[], b: readonly number[]): boolean {
  const [m, n] = [a.length, b.length];
  const shifts = Float64Array.from(a.flatMap((x) => b.map((y) => x - y))).sort();
  const z = 2.326;
  const rank = Math.floor((m * n) / 2 - z * Math.sqrt((m * n * (m + n + 1)) / 12));
  const low = shifts[Math.max(0, rank)] ?? 0;
  const estimate = shifts[Math.floor(shifts.length / 2)] ?? 0;
  return low > 0.25 * Math.abs(estimate);
}
