/**
 * Makes the judge of experiments: has both arms measured (lake and business metrics join in the label thread), and says what came
 * out. `compose-release.ts` puts it before the judge of releases. The engine does not wait for it: what was found last holds until
 * something newer is, so that a long look at the lake holds up no failing device.
 */
import { messageOf } from "@vedette/protocol/errors";
import type { RolloutVerdict } from "@vedette/protocol/rollout";
import type { Rollout } from "../../db/rollout-records.ts";
import type { Labels, Logger } from "../../ports.ts";
import type { Judge } from "../rollouts/world.ts";
import { judgeExperiment } from "./judge-experiment.ts";

/** Joining reads the lake: not at every look. ms. */
const everyMs = 10_000;
/** What was found of an experiment that nobody asks of any more is forgotten. ms. */
const forgetAfterMs = 3_600_000;

interface Look {
  /** UTC ms of the last one that began. */
  at: number;
  /** That is under way. Never rejects. */
  under: Promise<void> | null;
  found: RolloutVerdict;
}

/** @param ports.judge of releases. Closing resolves when no look is under way: the lake must not be closed before. */
export function createExperimentJudge(ports: {
  labels: Pick<Labels, "units">;
  judge: Judge;
  logger: Pick<Logger, "error">;
}): { judge: Judge; close(): Promise<void> } {
  const looks = new Map<number, Look>();

  async function measure(rollout: Rollout, now: number): Promise<RolloutVerdict> {
    const { experiment: plan, members, model, version, salt, createdAt } = rollout;
    if (!plan) return begun(rollout);
    const measured = await ports.labels.units({
      ...{ model, version, salt, split: plan.split, share: plan.share, since: createdAt },
      name: plan.metric.replace(/^business:/, ""),
      devices: [...members.values()].map(({ agent, joinedAt, kind }) => {
        return { agent, from: joinedAt, candidate: kind !== "control" };
      }),
    });
    const result = judgeExperiment(plan, measured, now - createdAt);
    return { verdict: "undecided", findings: [], why: result.why, result };
  }

  async function renew(look: Look, rollout: Rollout): Promise<void> {
    try {
      look.found = await measure(rollout, look.at);
    } catch (error) {
      ports.logger.error("experiments.not_measured", { experiment: rollout.id, why: messageOf(error) });
    } finally {
      look.under = null;
    }
  }

  return {
    async judge(rollout, devices, now) {
      if (!rollout.experiment) return ports.judge(rollout, devices, now);
      const { id } = rollout;
      const look = looks.get(id) ?? { at: Number.NEGATIVE_INFINITY, under: null, found: begun(rollout) };
      looks.set(id, look);
      if (!look.under && now - look.at >= everyMs) {
        look.at = now;
        look.under = renew(look, rollout);
      }
      for (const [other, { at, under }] of looks) if (!under && now - at > forgetAfterMs) looks.delete(other);
      return look.found;
    },
    async close() {
      await Promise.all([...looks.values()].map(({ under }) => under));
    },
  };
}

/** Before anything is found: what a process before this one had found. */
function begun({ verdict }: Rollout): RolloutVerdict {
  const result = verdict?.result;
  return { verdict: "undecided", findings: [], why: result?.why ?? "nothing is measured yet", result };
}
