/** All that a rollout is judged by, as plain sums. Pure. `gather-evidence.ts` reads it, `judge-evidence.ts` judges it. */
import type { MeanState } from "../../statistics/mean-sequence.ts";
import { scaledLabels } from "./even-shares.ts";
import { noPairs, type PairedEvidence, scaledPairs } from "./paired-evidence.ts";

/** Labelled rows that both versions were asked. Where the two agree, both are right or both are wrong. */
export interface PairedLabels {
  readonly n: number;
  readonly onlyCandidateRight: number;
  readonly onlyIncumbentRight: number;
}
/** Devices that answer by a version and tell a drift verdict. */
interface DriftShare {
  readonly devices: number;
  readonly critical: number;
}
interface Compared {
  readonly candidate: MeanState;
  readonly incumbent: MeanState;
}

export interface Evidence {
  readonly pairs: PairedEvidence;
  readonly labels: PairedLabels;
  readonly drift: { readonly candidate: DriftShare; readonly incumbent: DriftShare };
  /** By the name of the business metric. */
  readonly business: ReadonlyMap<string, Compared>;
}

export const noEvidence: Evidence = {
  pairs: noPairs,
  labels: { n: 0, onlyCandidateRight: 0, onlyIncumbentRight: 0 },
  drift: { candidate: { devices: 0, critical: 0 }, incumbent: { devices: 0, critical: 0 } },
  business: new Map(),
};

/** The same evidence so many times over: to say how much more of it decides. */
export function timesMore({ pairs, labels, drift, business }: Evidence, times: number): Evidence {
  const share = ({ devices, critical }: DriftShare) => ({ devices: devices * times, critical: critical * times });
  const mean = ({ n, mean, squares }: MeanState) => ({ n: n * times, mean, squares: squares * times });
  return {
    pairs: scaledPairs(pairs, times),
    labels: scaledLabels(labels, times),
    drift: { candidate: share(drift.candidate), incumbent: share(drift.incumbent) },
    business: new Map(
      [...business].map(([name, { candidate, incumbent }]) => [
        name,
        { candidate: mean(candidate), incumbent: mean(incumbent) },
      ]),
    ),
  };
}
