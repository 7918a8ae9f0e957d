/** Whether a version does worse since a moment than it did: by earlier labels, else by the data it was published with. */
import { type Harm, performanceDefaults } from "@vedette/protocol/labels-api";
import type { HarmOracle, HarmQuestion } from "../../ports.ts";
import { addRisks, type RiskInterval, type RiskState, riskInterval } from "../../statistics/risk-sequence.ts";
import { summaryInterval } from "../../statistics/summary-interval.ts";
import { type PerformancePorts, requireModel, scaleOf, trainingOf, versionOf } from "./describe-performance.ts";
import { judgeHarm } from "./judge-harm.ts";

/** Earlier labels that speak for themselves; with fewer, training data do. */
const enoughBefore = 100;

type Question = HarmQuestion & { alpha: number; error: "absolute" | "squared" };
type Before = RiskInterval & { readonly from: "earlier_labels" | "training_data" };

export function createHarmOracle(ports: PerformancePorts): HarmOracle {
  return {
    async harmOf(asked) {
      const question = { ...asked, ...given(asked) };
      const { model, version, since, alpha, tolerance, error, agents } = question;
      const scale = await scaleOf(ports, question);
      const risk = async (period: { since: string; agents?: readonly string[] | undefined } | { until: string }) => {
        return await ports.labels.performance({ model, version, error, scale, by: { kind: "all" }, ...period });
      };
      const [groups, earlier] = [await risk({ since, agents }), await risk({ until: since })];
      if (groups.length === 0 && earlier.length === 0) await requireModel(ports, model);
      const now = addRisks(groups.map((group) => group.risk));
      const measuredScale = [...groups, ...earlier].some(({ classes }) => !classes) ? (scale ?? null) : null;
      const before = await riskBefore(addRisks(earlier.map((group) => group.risk)), question, measuredScale);
      const judged = judgeHarm(now, before, tolerance, alpha);
      const after = riskInterval(now, alpha);
      const answer = {
        ...{ model, version: version ?? null, since, alpha, tolerance, scale: measuredScale },
        ...judged,
        now: toldOf(after),
        before: before && { ...toldOf(before), from: before.from },
      };
      return { ...answer, why: explain(answer) };
    },
  };

  async function riskBefore(
    earlier: RiskState,
    { model, version, alpha, error }: Question,
    scale: number | null,
  ): Promise<Before | null> {
    const labelled: Before | null =
      earlier.n === 0 ? null : { ...riskInterval(earlier, alpha), from: "earlier_labels" };
    if (labelled && labelled.n >= enoughBefore) return labelled;
    const training = trainingOf(await versionOf(ports.db, model, version));
    const mean =
      training?.accuracy !== undefined
        ? 1 - training.accuracy
        : training?.mae !== undefined && scale !== null && error === "absolute"
          ? Math.min(1, training.mae / scale)
          : undefined;
    if (!training || mean === undefined) return labelled;
    return { ...summaryInterval(training.rows, mean, alpha), from: "training_data" };
  }
}

/** An undefined setting is one that nobody gave. */
function given({ alpha, tolerance, error }: HarmQuestion) {
  return {
    alpha: alpha ?? performanceDefaults.alpha,
    tolerance: tolerance ?? performanceDefaults.tolerance,
    error: error ?? performanceDefaults.error,
  };
}

function toldOf({ n, mean, low, high }: RiskInterval): Harm["now"] {
  return { n, mean: n === 0 ? null : mean, low, high };
}

function explain({ verdict, now, before, difference, tolerance, moreLabels, scale }: Omit<Harm, "why">): string {
  const what = scale === null ? "wrong" : `errors (of ${scale})`;
  const show = (risk: Harm["now"]) => `${figure(risk.mean ?? Number.NaN)} [${figure(risk.low)}, ${figure(risk.high)}]`;
  if (now.n === 0) return "no prediction since then has a label yet";
  const since = `${what} ${show(now)} of ${now.n} since`;
  if (!before || !difference) return `${since}; nothing is known of the time before`;
  const source = before.from === "earlier_labels" ? `${before.n} labelled before` : `${before.n} training rows`;
  const compared = `${since}, ${show(before)} of ${source}`;
  if (verdict === "harmful")
    return `${compared}: at least ${figure(difference.low)} more, over the tolerance of ${tolerance}`;
  if (verdict === "benign")
    return `${compared}: at most ${figure(difference.high)} more, within the tolerance of ${tolerance}`;
  const more =
    moreLabels === null ? "labels like these will not decide it" : `about ${moreLabels} more labels decide it`;
  return `${compared}: between ${figure(difference.low)} and ${figure(difference.high)} more; ${more}`;
}

function figure(value: number): string {
  return value.toFixed(3);
}
