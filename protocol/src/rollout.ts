/**
 * Rollouts as operators, the control plane and its analysis speak of them: the policy, where a rollout and each of its
 * devices stand, and what the evidence says. An overlay on the standing rules: what they decide is the incumbent.
 */
import { z } from "zod";
import { selector } from "./api.ts";
import type { ExperimentResult } from "./experiment.ts";

const share = z.number().gt(0).max(1);
const minutes = z.number().min(0).max(525_600);

const stageBase = z.strictObject({
  /** Of the devices that the selector names; at least one device. Never less than the stage before. */
  share,
  /** Of the predictions, how many are asked of both versions. */
  sample: share.default(1),
  /** Not before so long after the stage began, however clear the evidence. */
  atLeastMinutes: minutes.default(0),
  /** An operator must approve before it begins. */
  approval: z.boolean().default(false),
});
/** Shadow: the incumbent answers, the candidate is asked beside it. Canary: the other way round. */
export const stage = z.discriminatedUnion("kind", [
  stageBase.extend({ kind: z.literal("shadow") }),
  stageBase.extend({ kind: z.literal("canary") }),
]);
export type Stage = z.infer<typeof stage>;

/** What a stage is judged by. Business metrics are `business:` and the name under which they are sent to /v1/metrics. */
export const metricName = z.union([
  z.enum(["unfit", "disagreement", "latency", "confidence", "accuracy", "drift"]),
  z
    .string()
    .regex(
      /^business:[A-Za-z][A-Za-z0-9_.-]{0,63}$/,
      "name unfit, disagreement, latency, confidence, accuracy, drift, or one of your own as business:sales",
    ),
]);
export const metricRule = z.strictObject({
  metric: metricName,
  /**
   * Worse by less than this is as good as equal, in the metric's own unit: shares for unfit, disagreement, accuracy and
   * drift (of devices); a share of the incumbent's quantile for latency; confidence; the metric's own for business.
   */
  margin: z.number().positive(),
  /** Which way is better; only business metrics need to be told. */
  better: z.enum(["lower", "higher"]).optional(),
  /** Quantile of latency. */
  quantile: z.number().gt(0).lt(1).default(0.95),
  /** Its part of the error of a wrong rollback. */
  weight: z.number().positive().default(1),
  /** Whether a promotion waits for it to be found as good; all may roll back. */
  required: z.boolean().default(true),
});
export type MetricRule = z.infer<typeof metricRule>;

const timeOfDay = z.string().regex(/^([01]\d|2[0-3]):[0-5]\d$/, "write a time of day as 02:30");
/** Times of day in the device's own zone (label `tz`, IANA), else in `zone`. */
export const maintenanceWindow = z.strictObject({
  days: z
    .array(z.enum(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]))
    .min(1)
    .default(["mon", "tue", "wed", "thu", "fri", "sat", "sun"]),
  from: timeOfDay,
  until: timeOfDay,
  zone: z.string().max(64).default("UTC"),
});

const chance = z.number().gt(0).lt(0.5);

export const rolloutPolicy = z.strictObject({
  selector: selector.default({ all: true }),
  stages: z
    .array(stage)
    .min(1)
    .max(20)
    .default([
      { kind: "shadow", share: 0.2, sample: 1, atLeastMinutes: 0, approval: false },
      { kind: "canary", share: 0.05, sample: 1, atLeastMinutes: 0, approval: false },
      { kind: "canary", share: 0.25, sample: 1, atLeastMinutes: 0, approval: false },
      { kind: "canary", share: 1, sample: 1, atLeastMinutes: 0, approval: false },
    ]),
  /** A device counts once it has served so many predictions with the very digest (shadow: asked it so many). */
  served: z.int().min(1).default(20),
  /** Devices that have it and do not count yet, at most; null: 100, or a tenth of the devices where that is more. */
  inFlight: z.int().min(1).nullable().default(null),
  /** How fast new devices may be taken: so many an hour; or `first`, and each next hour `factor` times as many. */
  ramp: z
    .union([
      z.strictObject({ perHour: z.number().positive() }),
      z.strictObject({ first: z.int().min(1), factor: z.number().gt(1).max(100) }),
    ])
    .nullable()
    .default(null),
  /** A device that does not count after so long is timed out: counted apart, caught up with later. */
  timeoutMinutes: minutes.default(1440),
  /** Of the members reached, more failed or reverted than this share (0: any; 1: none ever), and at least so many, end the rollout. */
  failures: z
    .strictObject({ share: z.number().min(0).max(1).default(0.2), atLeast: z.int().min(1).default(1) })
    .prefault({}),
  window: maintenanceWindow.nullable().default(null),
  /** UTC, ISO 8601: not before. */
  startAt: z.iso.datetime("write a moment in UTC as 2027-01-31T12:00:00Z").nullable().default(null),
  metrics: z
    .array(metricRule)
    .min(1)
    .max(32)
    .default([
      { metric: "unfit", margin: 0.02, quantile: 0.95, weight: 1, required: true },
      { metric: "latency", margin: 0.5, quantile: 0.95, weight: 1, required: true },
      { metric: "accuracy", margin: 0.03, quantile: 0.95, weight: 1, required: false },
    ]),
  /** Chance that a version worse by a margin or more is promoted, and that one no worse is rolled back: over all looks. */
  errors: z.strictObject({ wrongPromotion: chance.default(0.05), wrongRollback: chance.default(0.05) }).prefault({}),
  /** What happens to a stage that is still undecided after so long; null: it waits. */
  undecided: z
    .strictObject({ afterMinutes: minutes, end: z.enum(["rollback", "promote", "pause"]) })
    .nullable()
    .default(null),
});
export type RolloutPolicy = z.infer<typeof rolloutPolicy>;

/** Where a rollout stands. The last four are for good; `concluded` are experiments alone, whose devices return to the incumbent. */
export const rolloutStates = [
  "queued",
  "scheduled",
  "waiting_for_approval",
  "running",
  "paused",
  "promoted",
  "rolled_back",
  "aborted",
  "concluded",
] as const;
export type RolloutState = (typeof rolloutStates)[number];

/** Where one member stands: it counts once it has served (`counted`), and again only after it served anew (`reverted`). */
export const memberStates = [
  "waiting",
  "updating",
  "counted",
  "reverted",
  "failed",
  "timed_out",
  "offline",
  "left_out",
] as const;
export type MemberState = (typeof memberStates)[number];

/** What the evidence says of one metric. Oriented: positive is worse. In the unit of its margin. */
export interface Finding {
  readonly metric: string;
  readonly says: "fine" | "worse" | "undecided" | "no_evidence";
  readonly estimate: number | null;
  /** Holds at all times at once, at the policy's errors: [low for worse, high for fine]. */
  readonly low: number | null;
  readonly high: number | null;
  readonly margin: number;
  /** Pairs that it rests on; devices for drift, values for business metrics. */
  readonly n: number;
  /** About so many more of them until it is decided, at the present estimate; null where it is, or cannot be told. */
  readonly more: number | null;
  readonly why: string;
}
export interface RolloutVerdict {
  readonly verdict: "promote" | "rollback" | "undecided";
  readonly findings: readonly Finding[];
  /** One sentence with the numbers, for people. */
  readonly why: string;
  /** In the last stage: whose pairs and labels the findings rest on, its own alone or all since the rollout began. */
  readonly of?: "last_stage" | "all_stages" | undefined;
  /** Of an experiment. */
  readonly result?: ExperimentResult | undefined;
}
