/** Rollouts as the API tells them. Pure. */
import type { Replayed, RolloutInDetail, RolloutFacts as Told } from "@vedette/protocol/rollouts-api";
import type { Rollout } from "../../db/rollout-records.ts";
import type { RolloutFacts } from "../../db/rollouts.ts";
import { isOver } from "./advance.ts";
import type { Asked } from "./asked-since.ts";
import { cohortSize, inScope, leftOut } from "./cohort.ts";
import type { ReplayedRollout } from "./replay.ts";
import type { DeviceFacts, World } from "./world.ts";

/** A rollout with its devices as they are now. */
export interface Looked {
  readonly rollout: Rollout;
  readonly world: Omit<World, "verdict">;
  /** What members that do not count yet were asked since they have the candidate. */
  readonly asked: ReadonlyMap<string, Asked>;
}

export function describeFacts(rollout: RolloutFacts): Told {
  const { id, model, version, digest, state, stage, policy, why, verdict, createdBy } = rollout;
  return {
    ...{ id, model, version, digest, state, stage, why, createdBy },
    policy,
    verdict: verdict && { ...verdict, findings: [...verdict.findings] },
    stageSince: iso(rollout.stageSince),
    createdAt: new Date(rollout.createdAt).toISOString(),
    endedAt: iso(rollout.endedAt),
  };
}

/** One that is under way, in the answer to what is in production. */
export function describeLive({ id, model, version, state, stage, policy, experiment, why }: RolloutFacts) {
  const stages = policy.stages.length;
  return { id, model, version, state, stage: stage + 1, stages, why, ...(experiment && { experiment: true }) };
}

export function describeRollout({ rollout, world: { devices }, asked }: Looked): RolloutInDetail {
  const stage = rollout.policy.stages[rollout.stage];
  const kind = stage?.kind ?? "canary";
  const over = isOver(rollout.state);
  const facts = new Map(devices.map((device) => [device.agent, device]));
  const named = over ? [] : inScope(rollout, devices);
  const out = named.flatMap((device) => {
    const reason = leftOut(rollout, device, kind);
    return reason === null ? [] : [{ agent: device.agent, reason }];
  });
  const eligible = named.length - out.length;
  const ofStage = [...rollout.members.values()].filter((member) => member.kind === kind).length;
  return {
    ...describeFacts(rollout),
    eligible,
    cohort: Math.max(ofStage, !over && stage ? cohortSize(stage, eligible) : 0),
    members: [...rollout.members.values()].flatMap(({ agent, kind, state, since, reason }) => {
      // The others are of experiments.
      if (kind !== "shadow" && kind !== "canary") return [];
      const told = { agent, kind, state, reason, since: new Date(since).toISOString() };
      const counted = asked.get(agent);
      return [{ ...told, served: servedOf(facts.get(agent)), ...(counted && { asked: describeAsked(counted) }) }];
    }),
    leftOut: out,
    returned: over && rollout.state !== "promoted" ? returnedOf(rollout, facts) : null,
  };
}

/** @param was as it really went. */
export function describeReplay(was: Rollout, { rollout, decisions }: ReplayedRollout): Replayed {
  return {
    id: was.id,
    was: { state: was.state, endedAt: iso(was.endedAt) },
    would: { state: rollout.state, endedAt: iso(rollout.endedAt), why: rollout.why },
    decisions: decisions.map(({ at, action, detail }) => ({
      at: new Date(at).toISOString(),
      action,
      // As the audit tells it: without what is undefined.
      detail: JSON.parse(JSON.stringify(detail)),
    })),
    limits: [
      "devices did what the policy of then made them do: one that this policy takes earlier tells nothing before it really was taken",
      "counters were recorded once a minute, of a long rollout once in a five-hundredth of its age, up to ten times what a device must serve, and no longer than the rollout went on",
      "an hour after the end, what devices found is kept by the quarter of an hour: other metrics are judged by it so much later",
    ],
  };
}

function describeAsked({ since, reasons, ...counts }: Asked) {
  return { since: new Date(since).toISOString(), ...counts, reasons: { ...reasons } };
}

function servedOf(device: DeviceFacts | undefined): number {
  const progress = device?.progress;
  return progress?.kind === "answering" ? progress.served : progress?.kind === "asked" ? progress.pairs : 0;
}

/** Those that were given the candidate to answer by: back once they say that they do not run it any more. */
function returnedOf(rollout: Rollout, facts: ReadonlyMap<string, DeviceFacts>): RolloutInDetail["returned"] {
  const had = [...rollout.members.values()].filter(({ takenAt, kind }) => takenAt !== null && kind === "canary");
  const waiting = had.filter(({ agent }) => {
    const device = facts.get(agent);
    return device && (device.progress.kind === "answering" || device.progress.kind === "updating");
  });
  return { of: had.length, done: had.length - waiting.length, waiting: waiting.map(({ agent }) => agent) };
}

function iso(ms: number | null): string | null {
  return ms === null ? null : new Date(ms).toISOString();
}
