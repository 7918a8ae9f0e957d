/**
 * The rollout engine: what becomes of a rollout in the world as it is now. Pure and idempotent: no I/O, no clock, no
 * randomness. `rollouts.ts` reads the world, calls this, and writes what came out with its decisions in one transaction.
 *
 *     queued ─▶ scheduled ─▶ waiting_for_approval ─▶ running ─▶ (next stage …) ─▶ promoted
 *                                   any of them ◀─▶ paused        any of them ─▶ rolled_back, aborted
 *
 * An experiment (release/experiments) goes the same way: its members are drawn into arms instead of a cohort that grows, and
 * its one stage ends, concluded, by its plan.
 *
 * What is over stays as it is. Paused, nobody new is taken and no stage ends; but what turns out bad is taken back.
 */
import type { Finding, RolloutState } from "@vedette/protocol/rollout";
import type { Member, Rollout } from "../../db/rollout-records.ts";
import { percent } from "../../percent.ts";
import { whyConcluded } from "../experiments/conclude.ts";
import { candidateKind, joinArms } from "../experiments/join-arms.ts";
import { admit, growCohort } from "./admit.ts";
import { isEverywhere } from "./cohort.ts";
import { combine, judgeDevices } from "./judge-devices.ts";
import { stepMember } from "./step-member.ts";
import type { World } from "./world.ts";

/** One for the audit: what was decided, with its numbers and reason. */
export interface Decision {
  /** As `rollout.take`. */
  readonly action: `rollout.${string}`;
  readonly detail: Readonly<Record<string, unknown>>;
}
export interface Advanced {
  /** The very same one where nothing changed. */
  readonly rollout: Rollout;
  readonly decisions: readonly Decision[];
}

/** Whether it is over for good. */
export function isOver(state: RolloutState): boolean {
  return state === "promoted" || state === "rolled_back" || state === "aborted" || state === "concluded";
}

/** One look at it. @param now UTC ms. */
export function advance(rollout: Rollout, world: World, now: number): Advanced {
  if (isOver(rollout.state)) return { rollout, decisions: [] };
  const unfit = whyUnfit(rollout, world);
  if (unfit !== null) return end(rollout, "aborted", unfit, now);
  const { policy } = rollout;
  const begun = rollout.stage > 0 || rollout.stageSince !== null;
  if (!begun) {
    if (rollout.state === "paused") return { rollout, decisions: [] };
    if (world.blockedBy !== null) {
      return wait(rollout, "queued", `it waits for rollout ${world.blockedBy}, which has some of the same devices`);
    }
    if (policy.startAt !== null && world.wall < Date.parse(policy.startAt)) {
      return wait(rollout, "scheduled", `it begins at ${policy.startAt}`);
    }
    // It would have nobody to go on with, for ever, and keep everything else from these devices.
    if (isEverywhere(rollout, world.devices)) {
      const why = `every device that it names is given version ${rollout.version} by the standing rules already`;
      return end(rollout, "aborted", why, now);
    }
  }
  return proceed(rollout, world, now);
}

function whyUnfit({ model, version }: Rollout, { assignable, gate }: World): string | null {
  const name = `${model} version ${version}`;
  if (assignable === "revoked") return `${name} is revoked`;
  if (assignable === "not listed") return `${name} is no longer listed by the project's signed metadata`;
  return gate.passed ? null : `the gate does not let ${name} pass: ${gate.why}`;
}

function proceed(rollout: Rollout, world: World, now: number): Advanced {
  const decided = then(observe(rollout, world, now), (seen) => decide(seen, world, now));
  return { ...decided, rollout: settled(rollout, decided.rollout) };
}

/** One step after another: what becomes of it at last, and all that was decided on the way. */
function then({ rollout, decisions }: Advanced, step: (rollout: Rollout) => Advanced): Advanced {
  const next = step(rollout);
  return { rollout: next.rollout, decisions: [...decisions, ...next.decisions] };
}

/** What is done about it, its members and the verdict on them being known. */
function decide(rollout: Rollout, world: World, now: number): Advanced {
  const { verdict } = rollout;
  if (verdict?.verdict === "rollback") return end(rollout, "rolled_back", verdict.why, now, verdict.findings);
  if (rollout.state === "paused") return { rollout, decisions: [] };
  const stranded = whyStranded(rollout, world);
  if (stranded !== null) return pause(rollout, { reason: stranded }, now);

  const over = rollout.stageSince === null ? null : endOfStage(rollout, now);
  if (over?.kind === "end") return end(rollout, over.state, over.why, now, verdict?.findings);
  if (over?.kind === "pause") return pause(rollout, { reason: over.why, findings: verdict?.findings }, now);
  const passed = over?.kind === "next" ? passStage(rollout, over.why) : { rollout, decisions: [] };
  const begun = then(passed, (next) => beginStage(next, now));
  if (begun.rollout.state === "waiting_for_approval") return begun;
  return then(begun, (next) => take(next, world, now));
}

function pause(
  rollout: Rollout,
  detail: { readonly reason: string; readonly findings?: readonly Finding[] | undefined },
  now: number,
): Advanced {
  const paused: Rollout = { ...rollout, state: "paused", pausedAt: now, why: detail.reason };
  return { rollout: paused, decisions: [{ action: "rollout.pause", detail }] };
}

function passStage(rollout: Rollout, why: string): Advanced {
  const next = { ...rollout, stage: rollout.stage + 1, stageSince: null, undecidedFrom: null };
  const detail = { stage: next.stage, why, findings: rollout.verdict?.findings };
  return { rollout: next, decisions: [{ action: "rollout.pass_stage", detail }] };
}

/** Begins the present stage where it has not begun, or has it wait for its approval. */
function beginStage(rollout: Rollout, now: number): Advanced {
  const stage = rollout.policy.stages[rollout.stage];
  if (rollout.stageSince !== null || !stage) {
    return { rollout: rollout.state === "running" ? rollout : { ...rollout, state: "running" }, decisions: [] };
  }
  if (stage.approval && !rollout.approvals.includes(rollout.stage)) {
    const why = `stage ${rollout.stage + 1} (${stage.kind} ${percent(stage.share)}) waits for an approval`;
    return wait(rollout, "waiting_for_approval", why);
  }
  const { split, share } = rollout.experiment ?? { split: undefined, share: stage.share };
  const detail = { stage: rollout.stage + 1, ...(split ? { split } : { kind: stage.kind }), share };
  const begun: Rollout = { ...rollout, state: "running", stageSince: now, undecidedFrom: now, outages: [] };
  return { rollout: begun, decisions: [{ action: "rollout.begin_stage", detail }] };
}

/** Gives it to those who may have it now. */
function take(rollout: Rollout, world: World, now: number): Advanced {
  const members = (rollout.experiment ? joinArms : growCohort)(rollout, world, now);
  const { taken: agents, ...admitted } = admit({ ...rollout, members }, world, now);
  const kind = rollout.experiment ? candidateKind(rollout) : rollout.policy.stages[rollout.stage]?.kind;
  const next = judged({ ...rollout, ...admitted }, world, now);
  return {
    rollout: { ...next, why: summary(next) },
    decisions: agents.length === 0 ? [] : [{ action: "rollout.take", detail: { stage: next.stage + 1, kind, agents } }],
  };
}

/** A rollout that could not be taken back goes no further: what it would return to was revoked, say. */
function whyStranded({ members, model, version, experiment }: Rollout, { devices }: World): string | null {
  const without = devices.filter(({ agent, stranded }) => stranded && (members.get(agent)?.given ?? null) !== null);
  const [first] = without;
  if (!first) return null;
  const end = experiment
    ? `stop it, and keep the candidate (version ${version} of ${model}) where it is good, or assign another one`
    : `abort it and assign version ${version} of ${model} where it is good, or another one`;
  return `${without.length} of its devices have nothing to return to (${first.agent}: ${first.stranded}): ${end}`;
}

/** Members as the devices are now, and the verdict on them. */
function observe(rollout: Rollout, world: World, now: number): Advanced {
  const facts = new Map(world.devices.map((device) => [device.agent, device]));
  const changed = new Map<string, Member>();
  for (const member of rollout.members.values()) {
    const stepped = stepMember(rollout, member, facts.get(member.agent), now);
    if (stepped !== member) changed.set(member.agent, stepped);
  }
  const decisions = (["failed", "reverted", "timed_out"] as const).flatMap((state): Decision[] => {
    const became = [...changed.values()].filter(
      (one) => one.state === state && rollout.members.get(one.agent)?.state !== state,
    );
    if (became.length === 0) return [];
    const devices = Object.fromEntries(became.map(({ agent, reason }) => [agent, reason]));
    return [{ action: `rollout.device_${state}`, detail: { stage: rollout.stage + 1, devices } }];
  });
  const seen = changed.size === 0 ? rollout : { ...rollout, members: new Map([...rollout.members, ...changed]) };
  return { rollout: judged(seen, world, now), decisions };
}

function judged(rollout: Rollout, { verdict }: World, now: number): Rollout {
  if (rollout.members.size === 0 || verdict === null) return rollout;
  return { ...rollout, verdict: combine(judgeDevices(rollout, now), verdict) };
}

type EndOfStage =
  | { readonly kind: "next"; readonly why: string }
  | { readonly kind: "pause"; readonly why: string }
  | { readonly kind: "end"; readonly state: "promoted" | "rolled_back" | "concluded"; readonly why: string };

/** Whether the stage that is under way ends now, and how; null: it goes on. */
function endOfStage(rollout: Rollout, now: number): EndOfStage | null {
  const { policy, verdict, stageSince, undecidedFrom } = rollout;
  if (rollout.experiment) {
    const why = whyConcluded(rollout, now);
    return why === null ? null : { kind: "end", state: "concluded", why };
  }
  const stage = policy.stages[rollout.stage];
  if (!stage || stageSince === null) return null;
  const good = (why: string): EndOfStage =>
    rollout.stage + 1 < policy.stages.length ? { kind: "next", why } : { kind: "end", state: "promoted", why };
  if (verdict?.verdict === "promote") {
    return now - stageSince >= stage.atLeastMinutes * 60_000 ? good(verdict.why) : null;
  }
  const limit = policy.undecided;
  if (!limit || now - (undecidedFrom ?? stageSince) < limit.afterMinutes * 60_000) return null;
  const why = `still undecided after ${limit.afterMinutes} minutes: ${verdict?.why ?? "no device takes part"}`;
  if (limit.end === "rollback") return { kind: "end", state: "rolled_back", why };
  if (limit.end === "pause") return { kind: "pause", why };
  // The policy takes the risk of what is undecided; not of what nobody has measured.
  const required = policy.metrics.filter((rule) => rule.required).map(({ metric }) => metric);
  const unseen = verdict?.findings.find(({ metric, says }) => says === "no_evidence" && required.includes(metric));
  if (unseen)
    return {
      kind: "pause",
      why: `${why}; and there is no evidence of ${unseen.metric}, without which nothing is promoted`,
    };
  const devices = verdict?.findings.find(({ metric }) => metric === "devices");
  return devices?.says === "fine" ? good(`${why}; the policy goes on all the same`) : { kind: "pause", why };
}

function wait(rollout: Rollout, state: "queued" | "scheduled" | "waiting_for_approval", why: string): Advanced {
  if (rollout.state === state && rollout.why === why) return { rollout, decisions: [] };
  const decisions: Decision[] = rollout.state === state ? [] : [{ action: "rollout.wait", detail: { state, why } }];
  return { rollout: { ...rollout, state, why }, decisions };
}

const endings = {
  promoted: "rollout.promote",
  rolled_back: "rollout.roll_back",
  aborted: "rollout.abort",
  concluded: "rollout.conclude",
} as const;

/** Ends it: the overlay goes away with the state, so that every member's incumbent is assigned again, or the new standing rule. */
export function end(
  rollout: Rollout,
  state: "promoted" | "rolled_back" | "aborted" | "concluded",
  why: string,
  now: number,
  findings: readonly Finding[] = [],
): Advanced {
  const action = endings[state];
  const detail = { version: rollout.version, stage: rollout.stage + 1, why, findings, members: countStates(rollout) };
  return { rollout: { ...rollout, state, why, endedAt: now, pausedAt: null }, decisions: [{ action, detail }] };
}

function countStates({ members }: Rollout): Record<string, number> {
  const counts: Record<string, number> = {};
  for (const { state } of members.values()) counts[state] = (counts[state] ?? 0) + 1;
  return counts;
}

function summary(rollout: Rollout): string {
  if (rollout.experiment && rollout.members.size > 0) return rollout.verdict?.why ?? "it has just begun";
  const { stages } = rollout.policy;
  const stage = stages[rollout.stage];
  const where = `stage ${rollout.stage + 1} of ${stages.length}${stage ? ` (${stage.kind} ${percent(stage.share)})` : ""}`;
  if (rollout.members.size === 0) return `${where}: no device can take part now`;
  return `${where}: ${rollout.verdict?.why ?? "it has just begun"}`;
}

/** The former one where they say the same: what did not change is not written. */
function settled(before: Rollout, after: Rollout): Rollout {
  const same = (Object.keys(after) as (keyof Rollout)[]).every((key) => {
    if (key === "verdict") return JSON.stringify(before.verdict) === JSON.stringify(after.verdict);
    return before[key] === after[key];
  });
  return same ? before : after;
}
