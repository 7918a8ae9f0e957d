/**
 * "What is in production?" A device counts as serving a version once it has answered predictions with that digest and
 * still does; one that should and does not is pending, with what it said of why. A version that no device has is told of
 * where a rule assigns it or it is its model's newest.
 */
import type { Production } from "@vedette/protocol/api";
import { sources } from "@vedette/protocol/ids";
import type { ReportedSlot } from "@vedette/protocol/messages";
import type { Database } from "../db/database.ts";
import type { DeviceRecord, RuleRecord, VersionRecord } from "../db/records.ts";
import type { Clock } from "../ports.ts";
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
  clock: Clock;
}): Promise<Production> {
  const { site, db, director, clock } = ports;
  const members = await director.preview();
  const versions = await db.versions.list();
  const rules = await db.assignments.inForce();
  const models = (await db.versions.modelNames()).map((model) => {
    const ofModel = versions.filter((version) => version.model === model);
    const newest = Math.max(...ofModel.map(({ version }) => version));
    const told = ofModel
      .map((version) => describe(version, members, rules))
      .filter(({ version, serving, pending, assignedTo }) => {
        return version === newest || serving.length + pending.length + assignedTo.length > 0;
      });
    return { model, versions: told };
  });
  return { site, at: new Date(clock.now()).toISOString(), models };
}

function describe(
  version: VersionRecord,
  members: readonly Member[],
  rules: readonly RuleRecord[],
): VersionInProduction {
  const { model, digest } = version;
  const serving: { agent: string; slot: ReportedSlot }[] = [];
  const pending: VersionInProduction["pending"] = [];
  for (const { device, withheld } of members) {
    const slot = device.report?.slots.find((one) => one.model === model);
    const serves = slot?.serving?.digest === digest;
    if (slot && serves && slot.served > 0) serving.push({ agent: device.agent, slot });
    else if (device.slots.some((one) => one.digest === digest))
      pending.push({ agent: device.agent, ...progress(slot, digest) });
    const refused = withheld.find((one) => one.model === model && one.version === version.version);
    if (refused && !serves) pending.push({ agent: device.agent, state: "withheld", reason: refused.reason });
  }
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
    predictions: serving.reduce((sum, { slot }) => sum + slot.served, 0),
    bySource: bySource(serving.map(({ slot }) => slot)),
    drift: driftByField(serving),
  };
}

/** How far a device is that should serve a digest and has not yet. */
function progress(slot: ReportedSlot | undefined, digest: string): { state: string; reason: string | null } {
  if (slot?.candidate?.digest === digest) return { state: slot.candidate.state, reason: slot.candidate.reason ?? null };
  if (slot?.serving?.digest === digest) return { state: "serving", reason: "it has answered no prediction yet" };
  return { state: "absent", reason: null };
}

function bySource(slots: readonly ReportedSlot[]): VersionInProduction["bySource"] {
  const sum = (source: string) => slots.reduce((total, slot) => total + (slot.sources[source] ?? 0), 0);
  const [model, cache, rule, none] = sources.map(sum);
  return { model: model ?? 0, cache: cache ?? 0, rule: rule ?? 0, none: none ?? 0 };
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
