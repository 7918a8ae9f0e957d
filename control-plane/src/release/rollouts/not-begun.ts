/** Where a rollout stands before the engine has looked at it: for one that is started, and for one that is replayed. */
import type { Rollout } from "../../db/rollout-records.ts";

/** All that the engine moves. */
type Standing = Pick<
  Rollout,
  | "state"
  | "stage"
  | "stageSince"
  | "approvals"
  | "ramp"
  | "pausedAt"
  | "undecidedFrom"
  | "outages"
  | "verdict"
  | "why"
  | "endedAt"
  | "members"
>;

export const notBegun: Standing = {
  ...{ state: "running", why: "", verdict: null, pausedAt: null, endedAt: null },
  ...{ stage: 0, stageSince: null, undecidedFrom: null, outages: [], approvals: [] },
  ...{ ramp: { from: null, takings: [] }, members: new Map() },
};
