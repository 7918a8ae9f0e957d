/**
 * Rollouts under way that go on only when somebody does something: paused, waiting for an approval, long undecided, or
 * without a device to go on with (an experiment: in one of its arms). Each says which devices, and why.
 */
import type { MemberState, RolloutPolicy } from "@vedette/protocol/rollout";
import type { Database } from "../../../db/database.ts";
import type { Member, Rollout } from "../../../db/rollout-records.ts";
import { isoTime } from "../../../iso-time.ts";
import { percent } from "../../../percent.ts";
import type { Clock } from "../../../ports.ts";
import { candidateKind } from "../../../release/experiments/join-arms.ts";
import { machine, subjectOf } from "../../../release/rollouts/audit-names.ts";
import { fewerThanHalf, isWaitedFor } from "../../../release/rollouts/judge-devices.ts";
import type { Raise } from "../alerts.ts";
import type { AlertName } from "../catalogue.ts";
import type { AlertSource } from "../watch-sources.ts";
import { namedAgents } from "./named-agents.ts";

const day = 86_400_000;
/** What nobody reacted to for so long is told louder. */
const forgottenMs = day;
const undecidedMs = day;
const longUndecidedMs = 7 * day;
/** So long nothing must have changed: devices come back after a restart of the control plane, and go to lunch. */
const stillMs = 30 * 60_000;
/** Where devices wait, one must have been taken within this; within a week and a day where only a window lets it be. */
const takenWithinMs = day;
const windowWithinMs = 8 * day;

interface Halt {
  readonly name: AlertName;
  readonly severity: Raise["severity"];
  readonly summary: string;
  readonly description: string;
}

export function haltedRollouts(ports: { db: Pick<Database, "rollouts" | "audit">; clock: Clock }): AlertSource {
  const { db, clock } = ports;
  const last = async (rollout: Rollout, action: string) =>
    (await db.audit.latest(1, { subject: subjectOf(rollout), action })).at(0);

  async function haltOf(rollout: Rollout): Promise<Halt | null> {
    const { id, state, why } = rollout;
    const now = clock.now();
    if (state === "paused") {
      const paused = await last(rollout, rollout.experiment ? "experiment.pause" : "rollout.pause");
      const byMachine = paused?.actor === machine;
      if (!byMachine && now - (rollout.pausedAt ?? now) < forgottenMs) return null;
      const description = byMachine
        ? `${why}. Nobody new is taken; what turns out bad is taken back all the same.`
        : `${paused?.actor ?? "An operator"} paused it at ${isoTime(rollout.pausedAt ?? now)}: ${why}.`;
      return {
        ...{ name: "VedetteRolloutPaused", severity: byMachine ? "warning" : "info", description },
        summary: byMachine ? "paused itself, and waits for somebody to decide" : "has been paused for a day",
      };
    }
    if (state === "waiting_for_approval") {
      const since = (await last(rollout, "rollout.wait"))?.at ?? now;
      return {
        ...{ name: "VedetteRolloutApproval", severity: now - since >= forgottenMs ? "warning" : "info" },
        summary: "waits for an approval",
        description: `${why}, since ${isoTime(since)}: vedette rollout approve ${id} --stage ${rollout.stage + 1}`,
      };
    }
    if (state !== "running") return null;
    // Undecided it is until its plan ends it; it waits for nobody.
    return rollout.experiment ? withoutArm(rollout, now) : (stuck(rollout, now) ?? undecided(rollout, now));
  }

  return {
    names: ["VedetteRolloutPaused", "VedetteRolloutApproval", "VedetteRolloutUndecided", "VedetteRolloutStuck"],
    async look() {
      const wrong: Raise[] = [];
      for (const rollout of await db.rollouts.live()) {
        const kind = rollout.experiment ? "experiment" : "rollout";
        const { id, model, version } = rollout;
        const halt = await haltOf(rollout);
        if (!halt) continue;
        const { name, severity, summary, description } = halt;
        wrong.push({
          ...{ name, severity, labels: { model, version: String(version), [kind]: String(id) } },
          annotations: {
            summary: `The ${kind} ${rollout.experiment ? "with" : "of"} ${model} version ${version} ${summary}`,
            description,
          },
          key: `rollout-halted/${id}`,
        });
      }
      return { wrong };
    },
  };
}

/** Nothing of the stage will change by itself; or it goes on, without many of its devices. */
function stuck(rollout: Rollout, now: number): Halt | null {
  const { policy, stageSince } = rollout;
  const stage = policy.stages[rollout.stage];
  if (!stage || stageSince === null) return null;
  const ofStage = [...rollout.members.values()].filter(({ kind }) => kind === stage.kind);
  const where = `Stage ${rollout.stage + 1} of ${policy.stages.length} (${stage.kind} ${percent(stage.share)})`;
  const held = { name: "VedetteRolloutStuck", severity: "warning", summary: "has no device to go on with" } as const;
  const waiting = ofStage.filter(({ state }) => state === "waiting");
  const takenAt = latest(ofStage, (member) => member.takenAt ?? stageSince, stageSince);
  if (waiting.length > 0 && now - takenAt >= patienceOf(policy)) {
    // As where devices are switched off while their window is open.
    const description = `${where}: nobody was taken since ${isoTime(takenAt)}. ${reasons(waiting)}`;
    return { ...held, description };
  }
  if (now - latest(ofStage, ({ since }) => since, stageSince) < stillMs) return null;
  if (ofStage.length === 0) return { ...held, description: `${where}: no device can take part now.` };
  const moving = ofStage.some(({ state }) => ["waiting", "updating", "reverted", "counted"].includes(state));
  if (!moving) return { ...held, description: `${where}: nobody counts. ${reasons(ofStage)}` };
  const late = ofStage.filter(({ state }) => state === "timed_out");
  const settled = !ofStage.some((member) => isWaitedFor(rollout, member, now));
  const few = settled && late.length > 0 ? fewerThanHalf(ofStage) : null;
  if (few === null && late.length <= policy.failures.share * ofStage.length) return null;
  const those = `${late.length} of ${ofStage.length} devices did not count in time`;
  const counted = ofStage.filter(({ state }) => state === "counted").length;
  return {
    ...{ ...held, severity: few === null ? "info" : "warning", summary: "goes on without many of its devices" },
    description: `${where}: ${those}${few === null ? "" : `; ${counted} count${few}`}. ${reasons(late)}`,
  };
}

/** An experiment whose arm has lost all its devices: nothing more is found, and without `until` it never ends. */
function withoutArm(rollout: Rollout, now: number): Halt | null {
  const { experiment, members, stageSince, id } = rollout;
  if (!experiment || stageSince === null) return null;
  const arms = [
    { kind: candidateKind(rollout), of: "the candidate" },
    ...(experiment.split === "devices" ? [{ kind: "control" as const, of: "the incumbent" }] : []),
  ];
  for (const { kind, of } of arms) {
    const ofArm = [...members.values()].filter((member) => member.kind === kind);
    if (now - latest(ofArm, ({ since }) => since, stageSince) < stillMs) continue;
    if (!ofArm.every(isLost)) continue;
    const those = ofArm.length === 0 ? "None has joined." : reasons(ofArm);
    const end = experiment.until === null ? "It goes on without an end" : `It ends at ${experiment.until}`;
    return {
      ...{ name: "VedetteRolloutStuck", severity: "warning", summary: "has no device to go on with" },
      description: `No device is left to answer by ${of}: ${those} ${end}: vedette experiment stop ${id}`,
    };
  }
  return null;
}

/** One that is away may come back, and one that follows answers, if seldom. */
function isLost({ state, reached }: Member): boolean {
  return state === "left_out" || state === "failed" || (state === "timed_out" && !reached);
}

/** How long nobody may be taken while devices wait, before something is wrong. ms. */
function patienceOf({ window, ramp }: RolloutPolicy): number {
  const slow = ramp && "perHour" in ramp ? (2 * 3_600_000) / ramp.perHour : 0;
  return Math.max(window === null ? takenWithinMs : windowWithinMs, slow);
}

function latest(members: readonly Member[], at: (member: Member) => number, first: number): number {
  return members.reduce((last, member) => Math.max(last, at(member)), first);
}

/** No end is in sight: where the policy says when, the engine ends or pauses it itself. */
function undecided(rollout: Rollout, now: number): Halt | null {
  const { policy, verdict, stageSince, undecidedFrom } = rollout;
  const from = undecidedFrom ?? stageSince;
  if (policy.undecided !== null || verdict?.verdict !== "undecided" || from === null) return null;
  if (now - from < undecidedMs) return null;
  const required = policy.metrics.filter((rule) => rule.required).map(({ metric }) => metric);
  const unseen = verdict.findings.filter(({ metric, says }) => says === "no_evidence" && required.includes(metric));
  const without = unseen.map(({ metric }) => ` Nothing counts yet of ${metric}, without which nothing is promoted.`);
  return {
    name: "VedetteRolloutUndecided",
    severity: now - from >= longUndecidedMs ? "warning" : "info",
    summary: "has been undecided for long",
    description: `Since ${isoTime(from)}: ${verdict.why}.${without.join("")}`,
  };
}

/** `3 offline (d1, d2, d3: it is away); 1 left out (…)`. */
function reasons(members: readonly Member[]): string {
  const byState = Map.groupBy(members, ({ state }) => state);
  const told = [...byState].map(([state, of]: [MemberState, Member[]]) => {
    const why = of.find(({ reason }) => reason !== null)?.reason;
    return `${of.length} ${state.replaceAll("_", " ")} (${namedAgents(agentsOf(of))}${why ? `: ${why}` : ""})`;
  });
  return `${told.join("; ")}.`;
}

function agentsOf(members: readonly Member[]): string[] {
  return members.map(({ agent }) => agent).sort();
}
