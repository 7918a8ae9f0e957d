/**
 * Drift that the fleet's detectors found and that goes on, told by the harm it does: each open event is asked anew at every look,
 * for labels come later than the drift that they judge. Of a version that no device answers by any more nothing is told: nobody's
 * answers are worse for it. The event stays open, and is told again where a device returns to that version.
 */
import type { Device } from "@vedette/protocol/api";
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
  listDevices: () => Promise<Device[]>;
}): AlertSource {
  const { db, harmOf, listDevices } = ports;

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
      const devices = open.flat().length === 0 ? [] : await listDevices();
      const over = new Map<string, string>();
      for (const event of open.flat()) {
        if (!devices.some((device) => concerns(event, device) && answersBy(device, event.digest))) {
          over.set(keyOf(event), `no device ${whoOf(event.scope)}serves this version any more`);
          continue;
        }
        const raise = await alertOf(event, firing);
        if (raise) wrong.push(raise);
        else if (raise === null) unsure.add(keyOf(event));
      }
      return { wrong, unsure, over };
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

function concerns({ scope }: DriftEventRecord, { agent, labels }: Device): boolean {
  if (scope.kind === "device") return scope.agent === agent;
  return scope.kind === "fleet" || labels[scope.label] === scope.value;
}

/** By what it last said, also where it is away: it answers without us; or it is about to. */
function answersBy({ revoked, assigned, reported }: Device, digest: string): boolean {
  if (revoked) return false;
  if (assigned.some((slot) => slot.digest === digest)) return true;
  const slots = reported?.slots ?? [];
  return slots.some(({ serving, candidate, beside }) => {
    const tried = candidate?.digest === digest && candidate.state === "probation";
    const split = beside?.digest === digest && beside.state === "answering";
    return serving?.digest === digest || tried || split;
  });
}

function whoOf(scope: DriftEventRecord["scope"]): string {
  const [where] = Object.entries(whereOf(scope));
  return where ? `of ${where[0] === "agent" ? where[1] : where.join("=")} ` : "";
}

function whereOf(scope: DriftEventRecord["scope"]): Record<string, string> {
  if (scope.kind === "device") return { agent: scope.agent };
  return scope.kind === "cohort" ? { [scope.label]: scope.value } : {};
}
