/**
 * Makes the judge of experiments: reads what was measured of both arms (lake and business metrics join in the label thread), and
 * says what came out. `compose.ts` puts it before the judge of releases; the engine never rolls an experiment back by it.
 */
import type { Labels } from "../../ports.ts";
import type { Judge } from "../rollouts/world.ts";
import { judgeExperiment } from "./judge-experiment.ts";

/** Joining reads the lake: not at every look. ms. */
const everyMs = 10_000;

/** @param judge of releases. */
export function createExperimentJudge(ports: { labels: Pick<Labels, "units">; judge: Judge }): Judge {
  /** What was found last, and when. */
  const known = new Map<number, { readonly at: number; readonly verdict: ReturnType<Judge> }>();
  return (rollout, devices, now) => {
    const { id, experiment: plan, members, model, version, salt, createdAt } = rollout;
    if (!plan) return ports.judge(rollout, devices, now);
    const before = known.get(id);
    if (before && now >= before.at && now - before.at < everyMs) return before.verdict;
    const judge = async () => {
      const measured = await ports.labels.units({
        ...{ model, version, salt, split: plan.split, share: plan.share, since: createdAt },
        name: plan.metric.replace(/^business:/, ""),
        devices: [...members.values()].map(({ agent, joinedAt, kind }) => {
          return { agent, from: joinedAt, candidate: kind !== "control" };
        }),
      });
      const result = judgeExperiment(plan, measured, now - createdAt);
      return { verdict: "undecided" as const, findings: [], why: result.why, result };
    };
    const verdict = judge();
    known.set(id, { at: now, verdict });
    // Asked again at the next look.
    verdict.catch(() => known.delete(id));
    for (const [other, { at }] of known) if (now - at > 360 * everyMs) known.delete(other);
    return verdict;
  };
}
