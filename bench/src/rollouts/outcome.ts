/** What was made of one rollout, by whichever rule. */
export type Said = "promote" | "rollback" | "undecided";

export interface Outcome {
  readonly said: Said;
  /** Until it decided, or gave up. */
  readonly hours: number;
  readonly pairs: number;
  /** Share of the devices that answered by the candidate before it was over; where the rule knows no devices, absent. */
  readonly reached?: number;
}

/** Nobody waits longer than two weeks. */
export const mostHours = 336;
