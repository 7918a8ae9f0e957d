/**
 * Experiments as operators and the control plane speak of them: two versions held against each other by a business metric, on
 * the rollout engine. What is compared is units: each counts once, with the mean of its values.
 */
import { z } from "zod";

const count = z.int().min(0);

/** What an experiment asks; it never changes. */
export const experimentPlan = z.strictObject({
  /** As it is sent to /v1/metrics. */
  metric: z.string().regex(/^business:[A-Za-z][A-Za-z0-9_.-]{0,63}$/, "write the metric as business:NAME"),
  better: z.enum(["higher", "lower"]),
  /** What is given the one version or the other: whole devices, or each entity (`vedette_entity`) on all of them. */
  split: z.enum(["devices", "entities"]),
  /** Of the units, how many get the candidate. */
  share: z.number().min(0.01).max(0.99).default(0.5),
  /** Chance that the interval, however often one looks, ever leaves out the truth. */
  error: z.number().gt(0).max(0.2).default(0.05),
  /** The least difference of means that matters: it ends once one is shown, or none so large is possible. */
  minEffect: z.number().positive().nullable().default(null),
  /** UTC: it ends then at the latest. */
  until: z.iso.datetime().nullable().default(null),
});
export type ExperimentPlan = z.infer<typeof experimentPlan>;

const arm = z.object({
  /** That took part: they were answered since the split began for them. */
  units: count,
  /** Of these, with a value of the metric, and how many values. */
  measured: count,
  values: count,
  /** Of the units' means; null without any, and where the result is withheld. */
  mean: z.number().nullable(),
  /** Units that the other version answered, too: they count where the lot put them. */
  crossed: count,
});
export type ArmResult = z.infer<typeof arm>;
const ratioCheck = z.object({
  /** Of which units. */
  of: z.enum(["units", "measured"]),
  /** Of each arm, those that took part before a moment up to which both arms' logs are here. */
  candidate: count,
  incumbent: count,
  planned: z.number(),
  /** Evidence against the planned share: it reaches 1 / the check's error, ever, with at most this probability. */
  eValue: z.number(),
  alarm: z.boolean(),
});
export type RatioCheck = z.infer<typeof ratioCheck>;

/**
 * better, worse: of the candidate, surely. same: surely no difference of `minEffect` or more. undecided: neither yet. too_few:
 * units for an interval. withheld: the units are not split as was planned, so that no comparison means anything.
 */
export const resultVerdicts = ["better", "worse", "same", "undecided", "too_few", "withheld"] as const;
export const experimentResult = z.object({
  says: z.enum(resultVerdicts),
  candidate: arm,
  incumbent: arm,
  /** Mean of the candidate minus mean of the incumbent, in the metric's own unit; null where it is withheld or too early. */
  difference: z.object({ estimate: z.number(), low: z.number(), high: z.number() }).nullable(),
  checks: z.array(ratioCheck),
  /** About so many more units until an effect of `minEffect` (else: as large as it seems now) would show; days at the pace so far. */
  more: z.object({ effect: z.number(), units: count, days: z.number().nullable() }).nullable(),
  /** In words, with the numbers. */
  why: z.string(),
});
export type ExperimentResult = z.infer<typeof experimentResult>;
