/**
 * What one device should run, decided from standing rules and what rollouts lay over them: a pure function, so that it can
 * be asked at any time.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import { besideCapability, lacks, lacksMemoryFor, splitCapability } from "@vedette/protocol/capability";
import type { AssignedSlot } from "@vedette/protocol/messages";
import type { DeviceRecord, RuleRecord, Selector } from "../db/records.ts";
import type { Overlay } from "../db/rollout-records.ts";

/** A published version as the director sees it. */
export interface Candidate {
  readonly model: string;
  readonly version: number;
  readonly digest: string;
  /** Bytes of the manifest. */
  readonly length: number;
  readonly requires: Manifest["requires"];
  /** By signed metadata: listed by its project, and not below the floor. */
  readonly assignable: "yes" | "not listed" | "revoked";
}
/** What a rule wants a device to run and the director does not assign, with the reason for people. */
export interface Withheld {
  readonly model: string;
  readonly version: number;
  readonly reason: string;
}
/** Versions that somebody meant a device to run, so that it may keep one where what it should run may not be assigned. */
export type Meant = (candidate: Candidate) => boolean;
const any: Meant = () => true;
export interface Decision {
  readonly slots: readonly AssignedSlot[];
  readonly withheld: readonly Withheld[];
}

const maxSlots = 64;

/** Whether a selector covers a device. */
export function matches(selector: Selector, device: Pick<DeviceRecord, "agent" | "labels">): boolean {
  if ("all" in selector) return true;
  if ("devices" in selector) return selector.devices.includes(device.agent);
  return Object.entries(selector.labels).every(([key, value]) => device.labels[key] === value);
}

/** Why a device may not be assigned a version, or undefined where it may. */
export function refusal(candidate: Candidate, device: DeviceRecord): string | undefined {
  const name = `${candidate.model} version ${candidate.version}`;
  if (candidate.assignable === "revoked") return `${name} is revoked: it is below the floor of the signed targets`;
  if (candidate.assignable === "not listed") return `${name} is no longer listed by the project's signed metadata`;
  // Abilities come with the first hello; the decision is taken again then.
  const missing = device.abilities ? lacks(candidate.requires, device.abilities) : [];
  return missing.length > 0 ? `${device.agent} lacks ${missing.join(", ")} for ${name}` : undefined;
}

/** Whether its agent can ask a second version; not before its first hello. */
export function asksBeside({ abilities }: Pick<DeviceRecord, "abilities">): boolean {
  return (abilities?.capability ?? 0) >= besideCapability;
}

/** Whether its agent can split requests between two versions. */
export function splitsRequests({ abilities }: Pick<DeviceRecord, "abilities">): boolean {
  return (abilities?.capability ?? 0) >= splitCapability;
}

/**
 * Why a device cannot have a version in memory with those that it answers by, for people; null where it can.
 * @param answering what the standing rules give it, of all its models.
 */
export function lacksForBoth(
  candidate: Candidate,
  answering: readonly Pick<Candidate, "requires">[],
  { agent, abilities }: Pick<DeviceRecord, "agent" | "abilities">,
): string | null {
  const others = answering.map(({ requires }) => requires.memoryBytes);
  const why = lacksMemoryFor(others, candidate.requires.memoryBytes, abilities?.memoryBytes);
  return why && `${agent} ${why}`;
}

/**
 * Of the rules that match the device, the latest of each model counts. A device that may not run what its rule says
 * keeps what it serves, where that may still be assigned and was meant for it; it never gets what it lacks the means for.
 * A rollout's candidate takes the incumbent's place, is asked beside it, or answers some of the entities; where it may not be
 * run, the incumbent stays. Where the device has no memory for both, nothing is kept beside what answers.
 * @param rules in force, oldest first.
 * @param overlays of this device, one a model at most.
 * @param meant versions that somebody assigned: one that only a rollout gave it is no version to keep, nor one that it only
 * says it has.
 */
export function decideSlots(
  device: DeviceRecord,
  rules: readonly RuleRecord[],
  candidates: readonly Candidate[],
  overlays: readonly Overlay[] = [],
  meant: Meant = any,
): Decision {
  const latest = new Map<string, RuleRecord>();
  for (const rule of rules) if (matches(rule.selector, device)) latest.set(rule.model, rule);
  const given: { readonly version: Candidate; readonly overlay: Overlay | undefined }[] = [];
  const withheld: Withheld[] = [];
  for (const [model, { version }] of [...latest].sort(([a], [b]) => (a < b ? -1 : 1))) {
    if (version === null) continue;
    const wanted = candidates.find((one) => one.model === model && one.version === version);
    const reason = wanted
      ? given.length < maxSlots
        ? refusal(wanted, device)
        : `${device.agent} has ${maxSlots} models already, the most a device runs`
      : `${model} version ${version} is not published`;
    const chosen = reason === undefined ? wanted : servingStill(device, model, candidates, meant);
    if (reason !== undefined)
      withheld.push({ model, version, reason: `${reason}${chosen ? "" : instead(device, model, candidates, meant)}` });
    if (given.length >= maxSlots) continue;
    const overlay = overlays.find((one) => one.model === model);
    const alone = !chosen && overlay?.kind === "canary" ? laidOver(overlay, device, candidates) : undefined;
    if (chosen) given.push({ version: chosen, overlay });
    else if (alone) given.push({ version: alone, overlay: undefined });
  }
  const answering = given.map(({ version }) => version);
  const slots = given.map(({ version, overlay }) => overlaid(slotOf(version), overlay, device, candidates, answering));
  return { slots, withheld };
}

function slotOf({ model, digest, length, version }: Candidate): AssignedSlot {
  return { model, digest, length, release: version };
}

/** What is said of a device that has nothing of its own. */
function instead(device: DeviceRecord, model: string, candidates: readonly Candidate[], meant: Meant): string {
  const slot = device.report?.slots.find((one) => one.model === model);
  const lent = candidates.some((one) => one.digest === slot?.serving?.digest && one.model === model && !meant(one));
  return lent ? "; what it got of a rollout is not its own: assign another version" : "";
}

/** The version of a rollout, where the device may run it. */
function laidOver(overlay: Overlay, device: DeviceRecord, candidates: readonly Candidate[]): Candidate | undefined {
  const found = candidates.find(({ model, version }) => model === overlay.model && version === overlay.version);
  return found && refusal(found, device) === undefined ? found : undefined;
}

/** Paired with each other: who does not answer is asked the same, off the answer's path. An experiment pairs nothing. */
function overlaid(
  incumbent: AssignedSlot,
  overlay: Overlay | undefined,
  device: DeviceRecord,
  candidates: readonly Candidate[],
  answering: readonly Candidate[],
): AssignedSlot {
  const found = overlay && laidOver(overlay, device, candidates);
  if (!found || found.digest === incumbent.digest) return incumbent;
  const candidate = slotOf(found);
  const { sample, split } = overlay;
  const both = lacksForBoth(found, answering, device) === null;
  const beside = ({ digest, length, release }: AssignedSlot) => ({ digest, length, release, sample: sample ?? 1 });
  if (overlay.kind === "split") {
    const splits = split && both && splitsRequests(device);
    return splits ? { ...incumbent, beside: { ...beside(candidate), split } } : incumbent;
  }
  if (sample === null || !both || !asksBeside(device)) return overlay.kind === "canary" ? candidate : incumbent;
  if (overlay.kind === "canary") return { ...candidate, beside: beside(incumbent) };
  return { ...incumbent, beside: beside(candidate) };
}

/** What it serves, or returns to where that was revoked or only lent: the version before it, which it still has. */
function servingStill(
  device: DeviceRecord,
  model: string,
  candidates: readonly Candidate[],
  meant: Meant,
): Candidate | undefined {
  const slot = device.report?.slots.find((one) => one.model === model);
  const fit = (digest: string | undefined) => {
    const candidate = candidates.find((one) => one.model === model && one.digest === digest);
    return candidate && meant(candidate) && refusal(candidate, device) === undefined ? candidate : undefined;
  };
  const serving = candidates.find((one) => one.model === model && one.digest === slot?.serving?.digest);
  const gone = serving !== undefined && (serving.assignable === "revoked" || !meant(serving));
  return fit(slot?.serving?.digest) ?? (gone ? fit(slot?.previous?.digest) : undefined);
}
