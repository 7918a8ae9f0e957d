/**
 * New versions that the gate did not let pass, and failed ones that somebody let pass for not much longer: of each model the
 * newest version, and those whose rollout is under way.
 */
import type { GateState } from "@vedette/protocol/gate-api";
import type { Database } from "../../../db/database.ts";
import type { Rollout } from "../../../db/rollout-records.ts";
import { isoTime } from "../../../iso-time.ts";
import type { Clock } from "../../../ports.ts";
import type { Raise } from "../alerts.ts";
import type { AlertSource } from "../watch-sources.ts";

/** A version that nobody released for so long is not news. */
const newForMs = 7 * 86_400_000;
/** The gate makes a report within a minute of publishing, and tries again each minute. */
const reportWithinMs = 10 * 60_000;
/** An override is told in the last day, and in the last quarter of a short one. */
const lastMs = 86_400_000;

export function gatedVersions(ports: {
  db: Pick<Database, "versions" | "rollouts">;
  gateOf: (model: string, version: number) => Promise<GateState>;
  clock: Clock;
}): AlertSource {
  const { db, gateOf, clock } = ports;

  function failed({ model, version, state, why }: GateState, publishedAt: number): Raise[] {
    const age = clock.now() - publishedAt;
    if (age > newForMs || !(state === "failed" || (state === "missing" && age > reportWithinMs))) return [];
    const summary = state === "failed" ? "did not pass the gate" : "has no report of the gate";
    return [
      {
        name: "VedetteGateFailed",
        severity: "info",
        labels: { model, version: String(version) },
        annotations: {
          summary: `${model} version ${version} ${summary}: no rollout takes it`,
          description: why.slice(0, 1000),
        },
        key: `gate-failed/${model}/${version}`,
      },
    ];
  }

  function ending({ model, version, state, override }: GateState, rollout: Rollout | undefined): Raise[] {
    if (state !== "overridden" || !override) return [];
    const ends = Date.parse(override.expiresAt);
    const left = ends - clock.now();
    if (left > Math.min(lastMs, (ends - Date.parse(override.at)) / 4)) return [];
    const then =
      rollout === undefined
        ? "From then on no rollout takes it."
        : `${rollout.experiment ? "Experiment" : "Rollout"} ${rollout.id} of it is aborted then.`;
    return [
      {
        name: "VedetteOverrideEnding",
        severity: rollout === undefined ? "info" : "warning",
        labels: { model, version: String(version) },
        annotations: {
          summary: `${model} version ${version} failed the gate, and is let pass until ${isoTime(ends)} only`,
          description: `${override.by} let it pass: ${override.reason}. ${then}`,
        },
        key: `override-ending/${model}/${version}`,
      },
    ];
  }

  return {
    names: ["VedetteGateFailed", "VedetteOverrideEnding"],
    async look() {
      const live = await db.rollouts.live();
      const wrong: Raise[] = [];
      for (const { model, version } of live) {
        const rollout = live.find((one) => one.model === model && one.version === version);
        wrong.push(...ending(await gateOf(model, version), rollout));
      }
      for (const model of await db.versions.modelNames()) {
        const newest = (await db.versions.list(model)).at(-1);
        if (!newest || live.some((one) => one.model === model && one.version === newest.version)) continue;
        const [lately] = await db.rollouts.list(1, { model });
        // Released for good: the gate is asked no more.
        if (lately?.version === newest.version && lately.state === "promoted") continue;
        const state = await gateOf(model, newest.version);
        wrong.push(...failed(state, newest.createdAt), ...ending(state, undefined));
      }
      return { wrong };
    },
  };
}
