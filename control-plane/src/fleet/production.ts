/**
 * "What is in production?" A device counts as serving a version once it has answered predictions with that digest and
 * still does; one that should and does not is pending, with what it said of why. A version that no device has is told of
 * where a rule assigns it or it is its model's newest. Predictions are counted in the lake; all else is as devices reported.
 */

import { sources } from "@vedette/protocol/ids";
import type { ReportedSlot } from "@vedette/protocol/messages";
import type { Production } from "@vedette/protocol/production-api";
import type { Database } from "../db/database.ts";
import type { DeviceRecord, RuleRecord, VersionRecord } from "../db/records.ts";
import { isoTime } from "../iso-time.ts";
import type { Drift } from "../monitoring/drift/open-drift.ts";
import type { Clock, Lake, StoredCount } from "../ports.ts";
import type { Withheld } from "../release/decide-slots.ts";
import type { Director } from "../release/director.ts";

type ModelInProduction = Production["models"][number];
type VersionInProduction = ModelInProduction["versions"][number];
interface Member {
  readonly device: DeviceRecord;
  readonly withheld: readonly Withheld[];
}

/** The answer of GET /v1/production: every version that a device serves, should serve, or is refused, and each model's newest. */
export async function describeProduction(ports: {
  site: string;
  db: Database;
  director: Director;
  lake: Pick<Lake, "counts">;
  drift: Pick<Drift, "fleet">;
  clock: Clock;
}): Promise<Production> {
  const { site, db, director, lake, drift, clock } = ports;
  const stored = await lake.counts();
  const at = clock.now();
  const members = await director.preview();
  const versions = await db.versions.list();
  const revoked = new Set(
    (await director.candidates()).filter((one) => one.assignable === "revoked").map((one) => one.digest),
  );
  const rules = await db.assignments.inForce();
  const fleetDrift = await drift.fleet();
  const models = (await db.versions.modelNames()).map((model) => {
    const ofModel = versions.filter((version) => version.model === model);
    const newest = Math.max(...ofModel.map(({ version }) => version));
    const told = ofModel
      .map((version) => ({
        ...describe(version, members, rules, stored),
        ...(revoked.has(version.digest) ? { revoked: true } : {}),
        ...driftOf(fleetDrift.get(version.digest)),
      }))
      .filter(({ version, digest, serving, pending, assignedTo }) => {
        const asked = members.some(({ device }) => device.slots.some(({ beside }) => beside?.digest === digest));
        return version === newest || asked || serving.length + pending.length + assignedTo.length > 0;
      });
    const all = total(stored.filter((count) => count.model === model));
    return {
      model,
      versions: told,
      published: ofModel.map(({ version }) => version).toSorted((a, b) => a - b),
      otherPredictions: all - told.reduce((sum, { predictions }) => sum + predictions, 0),
    };
  });
  return { site, at: isoTime(at), models };
}

function describe(
  version: VersionRecord,
  members: readonly Member[],
  rules: readonly RuleRecord[],
  stored: readonly StoredCount[],
): VersionInProduction {
  const { model, digest } = version;
  const serving: { agent: string; slot: ReportedSlot }[] = [];
  const pending: VersionInProduction["pending"] = [];
  /** Of the devices told of; UTC ms. */
  const reports: number[] = [];
  for (const { device, withheld } of members) {
    const slot = device.report?.slots.find((one) => one.model === model);
    const serves = slot?.serving?.digest === digest;
    if (slot && serves && slot.served > 0) serving.push({ agent: device.agent, slot });
    else if (device.slots.some((one) => one.digest === digest))
      pending.push({ agent: device.agent, ...progress(slot, digest) });
    const told = serves || device.slots.some((one) => one.digest === digest);
    if (told && device.report) reports.push(device.report.at);
    const refused = withheld.find((one) => one.model === model && one.version === version.version);
    if (refused && !serves) pending.push({ agent: device.agent, state: "withheld", reason: refused.reason });
  }
  const counts = stored.filter((count) => count.model === model && count.digest === digest);
  return {
    version: version.version,
    digest,
    publishedAt: new Date(version.createdAt).toISOString(),
    lineage: version.lineage,
    assignedTo: rules
      .filter((rule) => rule.model === model && rule.version === version.version)
      .map((rule) => rule.selector),
    serving: serving.map(({ agent }) => agent),
    pending,
    reported:
      reports.length === 0 ? null : { first: isoTime(Math.min(...reports)), last: isoTime(Math.max(...reports)) },
    predictions: total(counts),
    bySource: bySource(counts),
    drift: driftByField(serving),
  };
}

function driftOf(fleetDrift: VersionInProduction["fleetDrift"]): Pick<VersionInProduction, "fleetDrift"> {
  return fleetDrift ? { fleetDrift } : {};
}

/** How far a device is that should serve a digest and has not yet. */
function progress(
  slot: ReportedSlot | undefined,
  digest: string,
): Omit<VersionInProduction["pending"][number], "agent"> {
  if (slot?.candidate?.digest === digest) {
    const { state, reason: code = null, why, passed, of } = slot.candidate;
    const reason = code !== null && why !== undefined ? `${code}: ${why}` : code;
    return { state, reason, ...(passed === undefined || of === undefined ? {} : { passed, of }) };
  }
  if (slot?.serving?.digest === digest) return { state: "serving", reason: "it has answered no prediction yet" };
  return { state: "absent", reason: null };
}

/** The sources of today first, also where they are 0; then those that newer agents name. */
function bySource(counts: readonly StoredCount[]): VersionInProduction["bySource"] {
  const sums: Record<string, number> = Object.fromEntries(sources.map((source) => [source, 0]));
  for (const { source, rows } of counts) sums[source] = (sums[source] ?? 0) + rows;
  return sums;
}

function total(counts: readonly StoredCount[]): number {
  return counts.reduce((sum, { rows }) => sum + rows, 0);
}

function driftByField(serving: readonly { agent: string; slot: ReportedSlot }[]): VersionInProduction["drift"] {
  const devices = new Map<string, string[]>();
  for (const { agent, slot } of serving) {
    for (const { name } of slot.drift.filter((field) => field.verdict === "drift")) {
      devices.set(name, [...(devices.get(name) ?? []), agent]);
    }
  }
  return [...devices].map(([field, agents]) => ({ field, devices: agents }));
}
