/**
 * Drift that the fleet's detectors found and that goes on, told by the harm it does: each open event is asked anew at every look,
 * for labels come later than the drift that they judge.
 */
import { codeOf, messageOf } from "@vedette/protocol/errors";
import type { Database } from "../../../db/database.ts";
import type { DriftEventRecord } from "../../../db/drift.ts";
import { isoTime } from "../../../iso-time.ts";
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

  /** Undefined: nothing is to be said of it. Null: it fires, and whether it harms cannot be told now. */
  async function alertOf(event: DriftEventRecord, firing: ReadonlySet<string>): Promise<Raise | null | undefined> {
    const published = await db.versions.findByDigest(event.digest);
    if (published === undefined) return undefined;
    const { version, createdAt } = published;
    const { id, digest, model, agents, openedAt } = event;
    // The rows that prove it came before the alarm, and after the version did; a clock that says otherwise is wrong.
    const proof = await db.drift.windows({ digests: [digest], event: id, limit: mostProof });
    const began = proof.map(({ fromAt }) => fromAt).filter((at) => at >= createdAt);
    const since = isoTime(Math.min(openedAt, ...began) - clockSlack);
    const key = keyOf(event);
    const everywhere = event.scope.kind === "fleet";
    const harm = await harmOf({ model, version, since, ...(!everywhere && { agents }) }).catch((error: unknown) =>
      codeOf(error) !== "not_found" && firing.has(key) ? null : unknownHarm(error),
    );
    if (harm === null) return null;
    const { verdict, why } = harm;
    const rows = agents.length === 1 ? "one device" : `${agents.length} devices`;
    return driftAlert({
      model,
      version,
      where: whereOf(event.scope),
      fields: event.features.map(({ name }) => name),
      harm: verdict,
      detail: `Since ${since}, by the rows of ${rows}. By labels: ${why}.`,
      key,
    });
  }

  return {
    names: ["VedetteDrift"],
    async look(firing) {
      const open = await Promise.all((await db.drift.digests()).map((digest) => db.drift.openEvents(digest)));
      const wrong: Raise[] = [];
      const unsure = new Set([...firing].filter((key) => key.startsWith(watchedElsewhere)));
      for (const event of open.flat()) {
        const raise = await alertOf(event, firing);
        if (raise) wrong.push(raise);
        else if (raise === null) unsure.add(keyOf(event));
      }
      return { wrong, unsure };
    },
  };
}

function keyOf({ digest, subject }: DriftEventRecord): string {
  return `drift/event/${digest}/${subject}`;
}

/** Nothing is stored of that version yet, or too much to be joined in time: a reason to tell, not to be silent. */
function unknownHarm(error: unknown): { verdict: "unknown"; why: string } {
  const why = messageOf(error);
  return { verdict: "unknown", why: codeOf(error) === "not_found" ? why : `whether it harms cannot be told: ${why}` };
}

function whereOf(scope: DriftEventRecord["scope"]): Record<string, string> {
  if (scope.kind === "device") return { agent: scope.agent };
  return scope.kind === "cohort" ? { [scope.label]: scope.value } : {};
}
