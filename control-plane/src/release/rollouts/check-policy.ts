/** What a policy must be beyond its shape: nothing that could not be honoured is taken on. */
import { VedetteError } from "@vedette/protocol/errors";
import type { RolloutPolicy } from "@vedette/protocol/rollout";
import { isZone } from "./maintenance.ts";

/** @throws VedetteError invalid_argument naming what does not fit together. */
export function checkPolicy(policy: RolloutPolicy): void {
  const { stages, window, metrics } = policy;
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
  if (window && !isZone(window.zone)) wrong(`there is no time zone ${window.zone}: name one as Europe/Berlin`);
  const named = metrics.map(({ metric, quantile }) => (metric === "latency" ? `latency ${quantile}` : metric));
  const twice = named.find((name, i) => named.indexOf(name) !== i);
  if (twice !== undefined) wrong(`${twice} stands there twice`);
  const business = metrics.find(({ metric, better }) => metric.startsWith("business:") && better === undefined);
  if (business) wrong(`say whether more of ${business.metric} is better: "better": "higher" or "lower"`);
}
