/**
 * Who is in which arm of an experiment: drawn once, by a hash of salt and device, and never again. Pure. The rollout engine
 * calls it where a release would grow its cohort.
 */
import { lotOf } from "@vedette/protocol/split";
import type { Member, MemberKind, Rollout } from "../../db/rollout-records.ts";
import { inOrder, inScope, leftOut } from "../rollouts/cohort.ts";
import type { World } from "../rollouts/world.ts";

/** What those who answer by the candidate are, at least in part. */
export function candidateKind({ experiment }: Pick<Rollout, "experiment">): MemberKind {
  return experiment?.split === "entities" ? "split" : "canary";
}

/**
 * The members with those who are new. Of devices, the first that join are divided exactly, in the order of a rollout's
 * cohorts; who comes later falls in by its own lot, so that nobody who is in an arm ever changes it.
 */
export function joinArms(rollout: Rollout, world: World, now: number): ReadonlyMap<string, Member> {
  const { experiment, members, salt } = rollout;
  const kind = candidateKind(rollout);
  const joining = inScope(rollout, world.devices)
    .filter(({ agent }) => !members.has(agent))
    .filter((device) => leftOut(rollout, device, kind) === null);
  if (!experiment || joining.length === 0) return members;
  const ordered = inOrder(
    salt,
    joining.map(({ agent }) => agent),
  );
  const first = members.size === 0;
  const many = Math.min(ordered.length - 1, Math.max(1, Math.round(experiment.share * ordered.length)));
  const takes = (agent: string, place: number) => (first ? place < many : lotOf(salt, agent) < experiment.share);
  const arms = ordered.map((agent, place): [string, Member] => {
    const candidate = kind === "split" || takes(agent, place);
    const common = {
      agent,
      joinedAt: now,
      retakenAt: null,
      since: now,
      given: null,
      takenAt: null,
      takenRev: 0,
      reached: false,
    };
    const waiting = { kind, state: "waiting", reason: null } as const;
    return [agent, { ...common, ...(candidate ? waiting : { kind: "control", state: "counted", reason: null }) }];
  });
  return new Map([...members, ...arms]);
}
