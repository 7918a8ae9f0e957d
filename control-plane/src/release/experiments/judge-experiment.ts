/** From what was measured of both arms to what may be said of it, in words. Pure. */
import type { ArmResult, ExperimentPlan, ExperimentResult } from "@vedette/protocol/experiment";
import type { ArmSums, ArmsMeasured } from "../../measured.ts";
import { compareArms, type Difference, fewestUnits, timesUntil } from "./compare-arms.ts";
import { checkRatio } from "./ratio-check.ts";

const dayMs = 86_400_000;

/** @param elapsed ms since it began. */
export function judgeExperiment(plan: ExperimentPlan, measured: ArmsMeasured, elapsed: number): ExperimentResult {
  const { candidate, incumbent } = measured;
  const checks = [
    checkRatio("units", candidate.settled.units, incumbent.settled.units, plan.share),
    checkRatio("measured", candidate.settled.measured, incumbent.settled.measured, plan.share),
  ];
  const common = { candidate: armOf(candidate), incumbent: armOf(incumbent), checks };
  const alarm = checks.find((check) => check.alarm);
  if (alarm) {
    const ratio = `${alarm.candidate} : ${alarm.incumbent} (candidate : incumbent)`;
    const which = alarm.of === "units" ? "units" : `units with values of ${nameOf(plan)}`;
    const look =
      alarm.of === "units"
        ? "devices that lost the candidate, answers that never reach the log, log policies that differ"
        : "whether one version's answers crash the app, are told late, or bring values where the other's bring none";
    const why =
      `the split is not what was planned: ${ratio} ${which} where ${ofShare(plan.share)} was planned. ` +
      `Do not believe any comparison of them; look at ${look}`;
    // Nor does a program get what a person is not shown.
    const arms = { candidate: { ...common.candidate, mean: null }, incumbent: { ...common.incumbent, mean: null } };
    return { ...arms, checks, says: "withheld", difference: null, more: null, why };
  }
  const difference = compareArms(candidate, incumbent, plan.error);
  if (!difference) return { ...common, says: "too_few", difference: null, more: null, why: whyTooFew(plan, measured) };
  const says = saysOf(plan, difference);
  const more = says === "undecided" ? moreOf(plan, measured, difference, elapsed) : null;
  return { ...common, says, difference, more, why: describe(plan, measured, difference, says, more) };
}

function armOf({ units, crossed, means, values }: ArmSums): ArmResult {
  return { units, crossed, measured: means.n, values: values.n, mean: means.n === 0 ? null : means.mean };
}

function saysOf(
  { better, minEffect }: ExperimentPlan,
  { low, high }: Difference,
): "better" | "worse" | "same" | "undecided" {
  if (low > 0) return better === "higher" ? "better" : "worse";
  if (high < 0) return better === "higher" ? "worse" : "better";
  return minEffect !== null && low > -minEffect && high < minEffect ? "same" : "undecided";
}

function moreOf(
  plan: ExperimentPlan,
  { candidate, incumbent }: ArmsMeasured,
  { estimate }: Difference,
  elapsed: number,
): ExperimentResult["more"] {
  const effect = plan.minEffect ?? Math.abs(estimate);
  const times = timesUntil(candidate, incumbent, plan.error, effect);
  if (times === null) return null;
  const now = candidate.means.n + incumbent.means.n;
  // New devices do not come as entities do.
  const days = plan.split === "entities" ? ((times - 1) * elapsed) / dayMs : null;
  return { effect, units: Math.ceil((times - 1) * now), days };
}

function whyTooFew(plan: ExperimentPlan, { candidate, incumbent }: ArmsMeasured): string {
  const have = `${candidate.means.n} : ${incumbent.means.n} ${plan.split} (candidate : incumbent) have values of ${nameOf(plan)}`;
  if (Math.min(candidate.means.n, incumbent.means.n) >= fewestUnits) return `${have}, and all of them are equal`;
  const few = `${have}; below ${fewestUnits} : ${fewestUnits} nothing can be told`;
  const never = plan.split === "devices" && candidate.units + incumbent.units < 2 * fewestUnits;
  return never ? `${few}. A fleet of few devices is compared by entities` : few;
}

function describe(
  plan: ExperimentPlan,
  { candidate, incumbent }: ArmsMeasured,
  { estimate, low, high }: Difference,
  says: ExperimentResult["says"],
  more: ExperimentResult["more"],
): string {
  const units = `${candidate.means.n} : ${incumbent.means.n} ${plan.split}`;
  const numbers =
    `${nameOf(plan)} ${show(candidate.means.mean)} against ${show(incumbent.means.mean)}, ` +
    `a difference of ${show(estimate)} [${show(low)}, ${show(high)}] of ${units}`;
  if (says === "better" || says === "worse") return `the candidate is ${says}: ${numbers}`;
  if (says === "same") return `no difference of ${show(plan.minEffect ?? 0)} or more: ${numbers}`;
  if (!more) return `undecided: ${numbers}`;
  const days = more.days === null ? "" : `, ${lasting(more.days)} at this pace`;
  return `undecided: ${numbers}; an effect of ${show(more.effect)} would show after about ${more.units} more ${plan.split}${days}`;
}

function lasting(days: number): string {
  if (days >= 2) return `${show(days)} days`;
  return days >= 1 / 12 ? `${show(24 * days)} hours` : `${Math.max(2, Math.ceil(24 * 60 * days))} minutes`;
}

function nameOf({ metric }: ExperimentPlan): string {
  return metric.replace(/^business:/, "");
}

function ofShare(share: number): string {
  return `${Number((100 * share).toPrecision(3))} : ${Number((100 * (1 - share)).toPrecision(3))}`;
}

function show(value: number): string {
  return String(Number(value.toPrecision(3)));
}
