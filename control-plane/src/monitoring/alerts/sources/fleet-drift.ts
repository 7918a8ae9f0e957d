/**
 * Drift that the fleet's detectors found and that goes on, told by the harm it does: each open event is asked anew at every look,
 * for labels come later than the drift that they judge.
 */
import { codeOf, messageOf } from "@vedette/protocol/errors";
import type { Database } from "../../../db/database.ts";
import type { DriftEventRecord } from "../../../db/drift.ts";
import type { HarmOracle } from "../../../ports.ts";
import type { Raise } from "../alerts.ts";
import { driftAlert, watchedElsewhere } from "../drift-alert.ts";
import type { AlertSource } from "../watch-sources.ts";

const mostProof = 512;
/** What is learned of a device's clock changes by so much while it runs; rows of the proof must not be the time before, ms. */
const clockSlack = 2_000;

export function fleetDrift(ports: {
  db: Pick<Database, "drift" | "versions">;
  harmOf: HarmOracle["harmOf"];
}): AlertSource {
  const { db, harmOf } = ports;

  async function alertOf(event: DriftEventRecord): Promise<Raise | undefined> {
    const version = (await db.versions.findByDigest(event.digest))?.version;
    if (version === undefined) return undefined;
    const { id, digest, model, agents, openedAt } = event;
    // The rows that prove it came before the alarm. By the devices' clocks, which may be wrong where they were never corrected: not after it.
    const proof = await db.drift.windows({ digests: [digest], event: id, limit: mostProof });
    const since = new Date(Math.min(openedAt, ...proof.map(({ fromAt }) => fromAt)) - clockSlack).toISOString();
    const everywhere = event.scope.kind === "fleet";
    const { verdict, why } = await harmOf({ model, version, since, ...(!everywhere && { agents }) }).catch(unknownHarm);
    const rows = agents.length === 1 ? "one device" : `${agents.length} devices`;
    return driftAlert({
      model,
      version,
      where: whereOf(event.scope),
      fields: event.features.map(({ name }) => name),
      harm: verdict,
      detail: `Since ${since}, by the rows of ${rows}. By labels: ${why}.`,
      key: `drift/event/${digest}/${event.subject}`,
    });
  }

  return {
    names: ["VedetteDrift"],
    async look(firing) {
      const open = await Promise.all((await db.drift.digests()).map((digest) => db.drift.openEvents(digest)));
      const wrong: Raise[] = [];
      for (const event of open.flat()) {
        const raise = await alertOf(event);
        if (raise) wrong.push(raise);
      }
      return { wrong, unsure: new Set([...firing].filter((key) => key.startsWith(watchedElsewhere))) };
    },
  };
}

/** Nothing is stored of that version yet: a reason to tell, not to be silent. */
function unknownHarm(error: unknown): { verdict: "unknown"; why: string } {
  if (codeOf(error) !== "not_found") throw error;
  return { verdict: "unknown", why: messageOf(error) };
}

function whereOf(scope: DriftEventRecord["scope"]): Record<string, string> {
  if (scope.kind === "device") return { agent: scope.agent };
  return scope.kind === "cohort" ? { [scope.label]: scope.value } : {};
}
