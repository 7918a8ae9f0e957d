/**
 * From evidence to a verdict: for each metric an interval of how much worse the candidate is, held against its practical
 * margin. Pure.
 *
 *     low > 0: worse          high < margin: fine          else: undecided, about so many more
 *
 * All that is required must be fine for a promotion, so each may use the whole error of a wrong promotion; one that is worse
 * is enough for a rollback, so they share that error by weight. What is fine and worse at once (surely worse, by surely less
 * than matters) is fine.
 */
import type { Finding, MetricRule, RolloutPolicy, RolloutVerdict } from "@vedette/protocol/rollout";
import {
  differenceInterval,
  type Interval,
  type SideErrors,
  shareInterval,
} from "../../statistics/anytime-interval.ts";
import { addMeans, type MeanState, meanInterval } from "../../statistics/mean-sequence.ts";
import { type Evidence, timesMore } from "./evidence.ts";
import { quantileRatio } from "./quantile-ratio.ts";

/** Beyond so many times the present evidence nothing is foretold. */
const mostTimes = 1e5;

type Judged = Pick<RolloutPolicy, "metrics" | "errors">;

/**
 * @param whole since the rollout began: stages before the last are passed by it, since few devices alone would take long.
 * @param last of the last stage alone, where it is under way; null before. All devices show what they are in it, those too
 *   that were in no cohort before (`last-stage.ts`): so a promotion's error is of the fleet, however devices differ.
 * @param where the last stage in words, with who is to be heard in it.
 */
export function judgeStage(
  whole: Evidence,
  last: Evidence | null,
  { metrics, errors }: Judged,
  where = "in the last stage",
): RolloutVerdict {
  // Both may roll back: each has half of that error.
  const policy = { metrics, errors: { ...errors, wrongRollback: errors.wrongRollback / 2 } };
  const soFar = judgeEvidence(whole, policy);
  if (!last) return soFar;
  const all = { ...soFar, of: "all_stages" as const };
  if (soFar.verdict === "rollback") return all;
  const inLast = { ...judgeEvidence(last, policy), of: "last_stage" as const };
  if (inLast.verdict === "promote") return all;
  return inLast.verdict === "rollback" ? inLast : { ...inLast, why: `${where}: ${inLast.why}` };
}

/** One look at one body of evidence, at the policy's errors as they stand. */
export function judgeEvidence(evidence: Evidence, { metrics, errors }: Judged): RolloutVerdict {
  const weights = metrics.reduce((sum, { weight }) => sum + weight, 0);
  const findings = metrics.map((rule) =>
    findingOf(evidence, rule, {
      low: (errors.wrongRollback * rule.weight) / weights,
      high: errors.wrongPromotion,
    }),
  );
  const worse = findings.filter(({ says }) => says === "worse");
  if (worse.length > 0) return { verdict: "rollback", findings, why: worse.map(({ why }) => why).join("; ") };
  const needed = findings.filter((_, i) => metrics[i]?.required);
  const open = needed.filter(({ says }) => says !== "fine");
  if (open.length > 0) return { verdict: "undecided", findings, why: open.map(({ why }) => why).join("; ") };
  const why = needed.length === 0 ? "no metric is required" : needed.map(({ why }) => why).join("; ");
  return { verdict: "promote", findings, why };
}

function findingOf(evidence: Evidence, rule: MetricRule, errors: SideErrors): Finding {
  const { metric, margin } = rule;
  const measured = measure(evidence, rule, errors);
  if (!measured) {
    const nothing = { estimate: null, low: null, high: null, n: 0, more: null };
    return { ...nothing, metric, margin, says: "no_evidence", why: `${metric}: ${whyNone(metric)}` };
  }
  const { estimate, low, high } = measured;
  // Of a device that told more than its share only a part counts.
  const n = Math.floor(measured.n);
  const says = saysOf(measured, margin);
  const more = says === "undecided" ? moreOf(evidence, rule, errors, n) : null;
  return { metric, margin, says, estimate, low, high, n, more, why: describe(rule, { ...measured, n }, says, more) };
}

function saysOf({ low, high }: Interval, margin: number): "fine" | "worse" | "undecided" {
  if (high < margin) return "fine";
  return low > 0 ? "worse" : "undecided";
}

/** How much worse the candidate is, in the unit of the rule's margin; null where nothing tells. */
function measure(evidence: Evidence, rule: MetricRule, errors: SideErrors): Interval | null {
  const { pairs, labels, drift, business } = evidence;
  switch (rule.metric) {
    case "unfit": {
      const { onlyCandidateFit, onlyIncumbentFit, rows } = pairs;
      const sum = onlyIncumbentFit - onlyCandidateFit;
      return differenceInterval({ n: rows, sum, squares: onlyIncumbentFit + onlyCandidateFit }, errors);
    }
    case "disagreement": {
      const share = shareInterval(pairs.bothFit, pairs.bothFit - pairs.agreed, Math.min(1, rule.margin), errors);
      // Any other version disagrees a little: worse is what surely disagrees more than the margin.
      return share && { ...share, low: share.low - rule.margin };
    }
    case "confidence":
      return differenceInterval(pairs.confidence, errors);
    case "latency":
      return quantileRatio(pairs.latency.candidate, pairs.latency.incumbent, rule.quantile, errors);
    case "accuracy": {
      const { n, onlyCandidateRight, onlyIncumbentRight } = labels;
      const sum = onlyIncumbentRight - onlyCandidateRight;
      return differenceInterval({ n, sum, squares: onlyIncumbentRight + onlyCandidateRight }, errors);
    }
    case "drift": {
      const half = { low: errors.low / 2, high: errors.high / 2 };
      const mine = shareInterval(drift.candidate.devices, drift.candidate.critical, 0.5, half);
      const theirs = shareInterval(drift.incumbent.devices, drift.incumbent.critical, 0.5, half);
      return mine && theirs && apart(mine, theirs);
    }
    default: {
      const metric = business.get(rule.metric.replace(/^business:/, ""));
      // Each end has its own error, half of it for either of the two means.
      const low = metric && differenceOfMeans(metric, rule.better, errors.low);
      const high = metric && differenceOfMeans(metric, rule.better, errors.high);
      return low && high ? { ...low, high: high.high } : null;
    }
  }
}

/**
 * Values that hardly ever differ (of a hundred visits three buy) are often all the same at first, and tell nothing then of how much
 * they vary: at least as much as those of both versions together; and where these are all the same, as if one of them were off by
 * one, a yes that could have been a no.
 */
function asVaried(own: MeanState, both: MeanState): MeanState {
  const least = both.squares > 0 ? (own.n * both.squares) / both.n : 1;
  return { ...own, squares: Math.max(own.squares, least) };
}

/** @param error of either end. @returns null where there are too few values. */
function differenceOfMeans(
  { candidate, incumbent }: { candidate: MeanState; incumbent: MeanState },
  better: MetricRule["better"],
  error: number,
): Interval | null {
  const both = addMeans(candidate, incumbent);
  const mine = meanInterval(asVaried(candidate, both), error);
  const theirs = meanInterval(asVaried(incumbent, both), error);
  if (!mine || !theirs) return null;
  const a = { n: candidate.n, estimate: candidate.mean, ...mine };
  const b = { n: incumbent.n, estimate: incumbent.mean, ...theirs };
  return better === "higher" ? apart(b, a) : apart(a, b);
}

/** Of a − b, each with its own bounds. */
function apart(a: Interval, b: Interval): Interval {
  return {
    n: Math.min(a.n, b.n),
    estimate: a.estimate - b.estimate,
    low: a.low - b.high,
    high: a.high - b.low,
  };
}

/** About how much more of the same decides; null where much more does not, as where the truth is at the margin. */
function moreOf(evidence: Evidence, rule: MetricRule, errors: SideErrors, n: number): number | null {
  const decides = (times: number) => {
    const then = measure(timesMore(evidence, times), rule, errors);
    return then !== null && saysOf(then, rule.margin) !== "undecided";
  };
  let enough = 2;
  while (!decides(enough)) {
    if (enough > mostTimes) return null;
    enough *= 2;
  }
  let short = enough / 2;
  for (let step = 0; step < 20; step++) {
    const middle = (short + enough) / 2;
    if (decides(middle)) enough = middle;
    else short = middle;
  }
  return Math.max(1, Math.ceil((enough - 1) * n));
}

const whyNone = (metric: string): string => {
  if (metric === "accuracy") return "no label counts yet that is joined to a row that both versions were asked";
  if (metric === "drift") return "no device of both versions tells a drift verdict yet";
  return metric.startsWith("business:")
    ? "not yet 30 values of both versions"
    : "no row counts yet that both versions were asked (a device tells of them once a minute)";
};

function describe(rule: MetricRule, { n, estimate, low, high }: Interval, says: string, more: number | null): string {
  const of = rule.metric === "latency" ? `latency p${Number((100 * rule.quantile).toPrecision(4))}` : rule.metric;
  const unit = rule.metric.startsWith("business:") ? "values" : rule.metric === "drift" ? "devices" : "pairs";
  const range = `worse by ${show(estimate)} [${show(low)}, ${show(high)}] of ${n} ${unit}`;
  if (says === "fine") return `${of}: ${range}, surely under the margin of ${show(rule.margin)}`;
  if (says === "worse") return `${of}: ${range}: surely worse`;
  const needs = more === null ? "too close to the margin to tell when" : `about ${more} more`;
  return `${of}: ${range}, margin ${show(rule.margin)}: undecided, ${needs}`;
}

function show(value: number): string {
  return Number.isFinite(value) ? String(Number(value.toPrecision(3))) : "∞";
}
