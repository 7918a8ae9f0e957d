/** Which devices take part, in which order. Pure: the same salt gives the same order for ever, so that cohorts only grow. */
import type { Stage } from "@vedette/protocol/rollout";
import type { MemberKind, Rollout } from "../../db/rollout-records.ts";
import { sha256 } from "../../sha256.ts";
import { matches } from "../decide-slots.ts";
import type { DeviceFacts } from "./world.ts";

/** A cohort with those who stand in, of its size. */
const mostTimes = 2;

/** Agents by sha256 of salt and agent. */
export function inOrder(salt: string, agents: readonly string[]): string[] {
  return agents
    .map((agent) => ({ agent, key: sha256(`${salt}/${agent}`) }))
    .toSorted((a, b) => (a.key < b.key ? -1 : 1))
    .map(({ agent }) => agent);
}

/** How many of the devices a stage takes: at least one where there is one. */
export function cohortSize({ share }: Pick<Stage, "share">, eligible: number): number {
  // 0.07 · 100 is a hair over 7.
  return Math.min(eligible, Math.max(1, Math.ceil(share * eligible - 1e-9)));
}

/** Why a device cannot take part as this kind, for people; null: it can. */
export function leftOut(rollout: Rollout, device: DeviceFacts, kind: MemberKind): string | null {
  if (device.takenBy !== null) return `rollout or experiment ${device.takenBy} of the same model has it`;
  if (device.lacks !== null) return device.lacks;
  if (device.stranded) return stranded(device);
  if (device.incumbent === null) return `no standing rule gives it a version of ${rollout.model} to return to`;
  if (device.incumbent === rollout.digest) return "a standing rule gives it this version already";
  if (kind === "split" && !device.splits) return "its agent cannot split requests between two versions: update it";
  if (kind === "shadow" && !device.shadows) return "its agent cannot ask a second version: update it";
  if (kind !== "canary" && kind !== "control" && device.lacksBoth) return device.lacksBoth;
  return null;
}

/** Why it could not return to anything, for people; null: it could. */
export function stranded(device: DeviceFacts): string | null {
  return device.stranded ? `it has nothing to return to: ${device.stranded}` : null;
}

/** Devices that the rollout is about: those that its selector names now, and its members. */
export function inScope(rollout: Rollout, devices: readonly DeviceFacts[]): DeviceFacts[] {
  const { selector } = rollout.policy;
  return devices.filter((device) => {
    if (rollout.members.has(device.agent)) return true;
    return device.incumbent !== rollout.digest && matches(selector, device);
  });
}

/** Whether all devices that it names are given its version by the standing rules: what it waited for gave it to them, say. */
export function isEverywhere({ policy, digest }: Rollout, devices: readonly DeviceFacts[]): boolean {
  const named = devices.filter((device) => matches(policy.selector, device));
  return named.length > 0 && named.every(({ incumbent }) => incumbent === digest);
}

/**
 * Those of a stage's cohort that are not in it yet: the first of the order; and for each of these that is away before it
 * counted, the next one that is there, so that a stage of one device does not wait for the one that is switched off. But where
 * devices come and go all day, as pages do, that must not hand the version to all of them one after the other: those who
 * stand in never make it more than twice its size.
 */
export function newInCohort(rollout: Rollout, stage: Stage, devices: readonly DeviceFacts[]): string[] {
  const eligible = inScope(rollout, devices).filter((device) => leftOut(rollout, device, stage.kind) === null);
  const memberOf = (agent: string) => {
    const member = rollout.members.get(agent);
    return member && (member.kind === stage.kind || member.kind === "canary") ? member : undefined;
  };
  // Hashing a large fleet is most of what a round costs.
  if (eligible.every(({ agent }) => memberOf(agent))) return [];
  const facts = new Map(eligible.map((device) => [device.agent, device]));
  const ordered = inOrder(rollout.salt, [...facts.keys()]);
  const size = cohortSize(stage, ordered.length);
  const settled = ["counted", "failed", "timed_out"];
  const there = (agent: string) => {
    const { state = "" } = memberOf(agent) ?? {};
    return state !== "left_out" && (facts.get(agent)?.online || settled.includes(state));
  };
  const cohort = ordered.filter((agent, i) => i < size || memberOf(agent));
  const had = (agent: string) => {
    const member = memberOf(agent);
    return member && (member.reached || member.given === member.kind || settled.includes(member.state));
  };
  const first = new Set(ordered.slice(0, size));
  const most = mostTimes * size - cohort.filter((agent) => first.has(agent) || had(agent)).length;
  let room = Math.min(most, size - cohort.filter(there).length);
  const instead = ordered.filter((agent, i) => i >= size && !memberOf(agent) && facts.get(agent)?.online && room-- > 0);
  return [...cohort, ...instead].filter((agent) => !memberOf(agent));
}
