/** Experiments as the API tells them. Pure. */
import { VedetteError } from "@vedette/protocol/errors";
import type { ExperimentFacts, ExperimentInDetail } from "@vedette/protocol/experiments-api";
import type { MemberKind, Rollout } from "../../db/rollout-records.ts";
import type { RolloutFacts } from "../../db/rollouts.ts";
import { isOver } from "../rollouts/advance.ts";
import { inScope, leftOut } from "../rollouts/cohort.ts";
import type { World } from "../rollouts/world.ts";
import { candidateKind } from "./join-arms.ts";

const armOf: Partial<Record<MemberKind, "candidate" | "incumbent" | "both">> = {
  canary: "candidate",
  control: "incumbent",
  split: "both",
};

export function describeFacts(experiment: RolloutFacts): ExperimentFacts {
  const { id, model, version, digest, state, policy, experiment: plan, why, verdict, createdBy } = experiment;
  if (!plan) throw new VedetteError("internal", `rollout ${id} is no experiment`);
  return {
    ...{ id, model, version, digest, state, plan, why, createdBy },
    selector: policy.selector,
    result: verdict?.result ?? null,
    createdAt: new Date(experiment.createdAt).toISOString(),
    endedAt: experiment.endedAt === null ? null : new Date(experiment.endedAt).toISOString(),
  };
}

export function describeExperiment(experiment: Rollout, { devices }: Pick<World, "devices">): ExperimentInDetail {
  const facts = new Map(devices.map((device) => [device.agent, device]));
  const kind = candidateKind(experiment);
  const scope = isOver(experiment.state) ? [] : inScope(experiment, devices);
  return {
    ...describeFacts(experiment),
    devices: [...experiment.members.values()].map(({ agent, kind, state, since, reason }) => {
      const progress = facts.get(agent)?.progress;
      return {
        ...{ agent, state, reason, arm: armOf[kind] ?? "incumbent" },
        since: new Date(since).toISOString(),
        served: progress?.kind === "answering" ? progress.served : 0,
      };
    }),
    leftOut: scope
      .filter(({ agent }) => !experiment.members.has(agent))
      .flatMap((device) => {
        const reason = leftOut(experiment, device, kind);
        return reason === null ? [] : [{ agent: device.agent, reason }];
      }),
  };
}
