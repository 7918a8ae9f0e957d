/** What a policy must be beyond its shape: nothing that could not be honoured is taken on. */
import { VedetteError } from "@vedette/protocol/errors";
import type { RolloutPolicy } from "@vedette/protocol/rollout";
import { isZone } from "./maintenance.ts";

/** Below it an error is none: no evidence would ever be enough. */
const leastError = 1e-9;
/** Below it devices are timed out before they can have followed: none would be under way, and the limit on these would hold nobody. */
const leastTimeoutMinutes = 1;

/** More devices than a site has: where so many must have failed before it ends, nothing ever ends it, whatever share stands beside it. */
const mostAtLeast = 100_000;

/** @throws VedetteError invalid_argument naming what does not fit together. */
export function checkPolicy(policy: RolloutPolicy): void {
  const { stages, window, metrics, errors, timeoutMinutes, failures } = policy;
  const wrong = (why: string): never => {
    throw new VedetteError("invalid_argument", `the rollout's policy: ${why}`);
  };
  const last = stages.at(-1);
  if (last?.kind !== "canary" || last.share !== 1) {
    wrong(
      "the last stage must be a canary of all devices (share 1), or a promotion would be the first to reach some of them",
    );
  }
  stages.forEach((stage, i) => {
    const before = stages[i - 1];
    if (!before) return;
    if (stage.kind === "shadow" && before.kind === "canary")
      wrong(`stage ${i + 1} is a shadow after a canary: put it before`);
    if (stage.kind === before.kind && stage.share < before.share) {
      wrong(
        `stage ${i + 1} has a smaller share (${stage.share}) than the one before it (${before.share}): cohorts only grow`,
      );
    }
  });
  if (timeoutMinutes < leastTimeoutMinutes)
    wrong(`a device has to have time to count: write a timeout of ${leastTimeoutMinutes} minute or more`);
  if (failures.share < 1 && failures.atLeast > mostAtLeast) {
    wrong(
      `its failures would end nothing before ${failures.atLeast} devices failed: write atLeast of ${mostAtLeast} or fewer, ` +
        "or a share of 1 where devices that fail are to end nothing",
    );
  }
  if (window && !isZone(window.zone)) wrong(`there is no time zone ${window.zone}: name one as Europe/Berlin`);
  const named = metrics.map(({ metric, quantile }) => (metric === "latency" ? `latency ${quantile}` : metric));
  const twice = named.find((name, i) => named.indexOf(name) !== i);
  if (twice !== undefined) wrong(`${twice} stands there twice`);
  const whole = metrics.find(({ metric, margin }) => isShare(metric) && margin >= 1);
  if (whole) {
    wrong(`nothing is worse by ${whole.margin} in ${whole.metric}, which is from 0 to 1: write 2 percent as 0.02`);
  }
  const weights = metrics.reduce((sum, { weight }) => sum + weight, 0);
  const least = Math.min(...metrics.map(({ weight }) => (errors.wrongRollback * weight) / weights));
  if (!(least >= leastError && errors.wrongPromotion >= leastError)) {
    wrong(`its errors and weights leave less than ${leastError} to a metric, which no evidence ever reaches`);
  }
  const business = metrics.find(({ metric, better }) => metric.startsWith("business:") && better === undefined);
  if (business) wrong(`say whether more of ${business.metric} is better: "better": "higher" or "lower"`);
}

/** Those whose margin is a share; of latency it is a part of the incumbent's, of business metrics their own unit. */
function isShare(metric: string): boolean {
  return metric !== "latency" && !metric.startsWith("business:");
}
