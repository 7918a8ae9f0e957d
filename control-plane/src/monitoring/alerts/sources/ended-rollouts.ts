/**
 * Rollouts, and experiments, that were taken back: by their evidence, or because the version may not be released any more. Each is told for a
 * day, and for as long as a device that is there still runs what was taken back; what an operator ended is only told so.
 */
import type { Device } from "@vedette/protocol/api";
import type { Database } from "../../../db/database.ts";
import type { RolloutFacts } from "../../../db/rollouts.ts";
import { isoTime } from "../../../iso-time.ts";
import type { Clock } from "../../../ports.ts";
import { machine, subjectOf } from "../../../release/rollouts/audit-names.ts";
import type { Raise } from "../alerts.ts";
import type { AlertSource } from "../watch-sources.ts";
import { defaultSilenceMs } from "./gone-devices.ts";
import { namedAgents } from "./named-agents.ts";

const toldForMs = 86_400_000;
/** A device asks for its assignment within a minute of the end; one that still answers by the version then does not follow. */
const backWithinMs = 10 * 60_000;
/** Of the newest. */
const mostRollouts = 200;

export function endedRollouts(ports: {
  db: Pick<Database, "rollouts" | "audit">;
  listDevices: () => Promise<Device[]>;
  clock: Clock;
}): AlertSource {
  const { db, listDevices, clock } = ports;

  async function alertOf(rollout: RolloutFacts, isLast: boolean, devices: readonly Device[]): Promise<Raise[]> {
    const { id, model, version, state, why, endedAt, experiment } = rollout;
    if (endedAt === null || (state !== "rolled_back" && state !== "aborted")) return [];
    const now = clock.now();
    const { there, away } = runningStill(rollout, devices, now);
    const lingers = now - endedAt >= backWithinMs && there.length > 0;
    // Where the next rollout of the model began, somebody has seen it.
    const isNews = isLast && now - endedAt < toldForMs && (state === "rolled_back" || (await endedByMachine(rollout)));
    if (!lingers && !isNews) return [];
    const name = state === "rolled_back" ? "VedetteRolloutRolledBack" : "VedetteRolloutAborted";
    const [Kind, kind] = experiment ? ["Experiment", "experiment"] : ["Rollout", "rollout"];
    const how = state === "rolled_back" ? "was rolled back" : "was aborted";
    const back = lingers
      ? `${namedAgents(there)} answer${there.length === 1 ? "s" : ""} by it still, and did not follow their assignment.`
      : there.length > 0
        ? `On their way back to the version before: ${namedAgents(there)}.`
        : "No device that is there runs it any more.";
    const later =
      away.length > 0 ? ` Away, and back to the version before once they are heard of: ${namedAgents(away)}.` : "";
    return [
      {
        name,
        severity: lingers ? "critical" : "warning",
        labels: { model, version: String(version), [kind]: String(id) },
        annotations: {
          summary: `The ${kind} ${experiment ? "with" : "of"} ${model} version ${version} ${how}: ${why}`.slice(0, 500),
          description: `${Kind} ${id} ended at ${isoTime(endedAt)}. ${back}${later}`,
        },
        key: `rollout-ended/${id}`,
      },
    ];
  }

  async function endedByMachine(rollout: RolloutFacts): Promise<boolean> {
    const action = rollout.experiment ? "experiment.abort" : "rollout.abort";
    const filter = { subject: subjectOf(rollout), action, actor: machine };
    return (await db.audit.latest(1, filter)).length > 0;
  }

  return {
    names: ["VedetteRolloutRolledBack", "VedetteRolloutAborted"],
    async look() {
      const rollouts = await db.rollouts.list(mostRollouts);
      if (rollouts.length === 0) return { wrong: [] };
      const devices = await listDevices();
      // The newest first: of a version that was tried twice, only the later try says what devices run because of it.
      const lastOfVersion = [...Map.groupBy(rollouts, ({ digest }) => digest).values()].flatMap(([one]) => one ?? []);
      const isLast = ({ id, model }: RolloutFacts) => rollouts.find((one) => one.model === model)?.id === id;
      const wrong: Raise[] = [];
      for (const one of lastOfVersion) wrong.push(...(await alertOf(one, isLast(one), devices)));
      return { wrong };
    },
  };
}

/** Devices that answer by a version which is not theirs any more: those heard of lately, and the others. */
function runningStill({ model, digest }: RolloutFacts, devices: readonly Device[], now: number) {
  const still = devices.filter(({ assigned, reported, revoked }) => {
    if (revoked || assigned.some((one) => one.model === model && one.digest === digest)) return false;
    const slot = reported?.slots.find((one) => one.model === model);
    const onTrial = slot?.candidate?.digest === digest && slot.candidate.state === "probation";
    return onTrial || slot?.serving?.digest === digest;
  });
  const isThere = ({ lastSeen }: Device) => lastSeen !== null && now - Date.parse(lastSeen) <= defaultSilenceMs;
  const there = still.filter(isThere);
  return { there: agents(there), away: agents(still.filter((one) => !there.includes(one))) };
}

function agents(devices: readonly Device[]): string[] {
  return devices.map(({ agent }) => agent).sort();
}
