/** What an operator may do with a rollout (an experiment is paused and resumed as one is). Pure: answers what becomes of it, or says why not. */
import { VedetteError } from "@vedette/protocol/errors";
import type { RolloutAct } from "@vedette/protocol/rollouts-api";
import type { Member, Rollout } from "../../db/rollout-records.ts";
import { type Advanced, end, isOver } from "./advance.ts";
import { kindOf } from "./audit-names.ts";
import { delayRamp } from "./ramp.ts";

export type Act = RolloutAct;

export interface ActRequest {
  /** Of the operator, for people and the audit. */
  readonly reason: string | null;
  /** From 1: the one that the operator looked at and approves, as another one may have been quicker. Without it, the one that waits. */
  readonly stage?: number | undefined;
}

/**
 * @throws VedetteError conflict where the rollout is over, stands at another stage, or there is nothing to do so with;
 * invalid_argument for the stage of another act.
 */
export function operate(rollout: Rollout, act: Act, { reason, stage: asked }: ActRequest, now: number): Advanced {
  if (isOver(rollout.state)) {
    throw new VedetteError(
      "conflict",
      `${kindOf(rollout)} ${rollout.id} is over (${rollout.state}: ${rollout.why}): start a new one`,
    );
  }
  if (asked !== undefined) checkStage(rollout, act, asked);
  switch (act) {
    case "pause":
      if (rollout.state === "paused") throw refused(rollout, "is paused already");
      return changed(
        { ...rollout, state: "paused", pausedAt: now, why: reason ?? "paused by an operator" },
        "pause",
        reason,
      );
    case "resume": {
      if (rollout.state !== "paused")
        throw refused(rollout, `is not paused: it is ${rollout.state.replaceAll("_", " ")}`);
      const ramp = delayRamp(rollout.policy.ramp, rollout.ramp, now - (rollout.pausedAt ?? now));
      // Which of the waiting states it really is in, the next step says.
      return changed({ ...rollout, state: "running", pausedAt: null, undecidedFrom: now, ramp }, "resume", reason);
    }
    case "abort":
      return withReason(end(rollout, "aborted", reason ?? "aborted by an operator", now), reason);
    case "approve": {
      const stage = rollout.policy.stages[rollout.stage];
      if (!stage?.approval || rollout.stageSince !== null || rollout.approvals.includes(rollout.stage)) {
        throw refused(rollout, `has nothing to approve: it is ${rollout.state.replaceAll("_", " ")}`);
      }
      const approved = { ...rollout, approvals: [...rollout.approvals, rollout.stage] };
      return changed(approved, "approve", reason, { stage: rollout.stage + 1 });
    }
    case "retry":
      return retry(rollout, reason, now);
  }
}

function checkStage(rollout: Rollout, act: Act, stage: number): void {
  if (act !== "approve")
    throw new VedetteError("invalid_argument", `a stage goes with approve only, not with ${act}: leave it out`);
  const now = rollout.stage + 1;
  if (stage !== now) throw refused(rollout, `stands at stage ${now}: stage ${stage} is not what waits for an approval`);
}

/** Failed devices are taken anew, timed-out ones get their time again. */
function retry(rollout: Rollout, reason: string | null, now: number): Advanced {
  const again = [...rollout.members.values()].filter(({ state }) => state === "failed" || state === "timed_out");
  if (again.length === 0) throw refused(rollout, "has no device that failed or timed out");
  const members = new Map(rollout.members);
  for (const member of again) members.set(member.agent, anew(member, now));
  return changed({ ...rollout, members }, "retry", reason, { agents: again.map(({ agent }) => agent) });
}

function anew(member: Member, now: number): Member {
  if (member.state === "timed_out" && member.reached) {
    return { ...member, state: "updating", since: now, takenAt: now, reason: "it is given its time again" };
  }
  return { ...member, state: "waiting", since: now, given: null, takenAt: null, reached: false, reason: null };
}

function changed(rollout: Rollout, act: Act, reason: string | null, detail: Record<string, unknown> = {}): Advanced {
  return { rollout, decisions: [{ action: `rollout.${act}`, detail: { ...detail, reason } }] };
}

function withReason({ rollout, decisions }: Advanced, reason: string | null): Advanced {
  return { rollout, decisions: decisions.map(({ action, detail }) => ({ action, detail: { ...detail, reason } })) };
}

function refused(rollout: Rollout, why: string): VedetteError {
  return new VedetteError("conflict", `${kindOf(rollout)} ${rollout.id} ${why}`);
}
