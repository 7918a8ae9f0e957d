/**
 * Of whom the last stage is to hear before anything is promoted: all devices show what they are in it, those too that were in no
 * cohort before. But who is gone, has nothing to tell, or came later must not hold it up for ever. Pure.
 */
import type { Member, Rollout } from "../../db/rollout-records.ts";
import { cameInTime, lookedMs } from "../in-time.ts";
import type { DeviceFacts } from "../rollouts/world.ts";

/** A device tells once a minute what came of its rows; one that nobody asks tells nothing. ms. */
const soonMs = 5 * 60_000;
/** Nobody is waited for where those who joined are so many times as many: in large fleets somebody always has just come. */
const enoughTimes = 10;

/** What the last stage is known by so far. */
export interface Heard {
  /** By device that told of rows that both versions were asked: when the first was, by its time, and when the last came. UTC ms. */
  readonly told: ReadonlyMap<string, { readonly from: number; readonly at: number }>;
  /** By device of whose rows labels have come: when the last of these was answered, by its time. UTC ms. */
  readonly labelled: ReadonlyMap<string, number>;
  /** UTC ms. */
  readonly now: number;
}
/** Which part of the devices that tell are those who joined in the last stage; 0: nobody, of whom anything is to be heard. */
export interface Parts {
  readonly pairs: number;
  readonly labels: number;
}

/** Whether it came to the cohort in the last stage, which is under way. */
export function joinedInLast({ members, stageSince }: Rollout, agent: string): boolean {
  const { joinedAt } = members.get(agent) ?? {};
  return stageSince !== null && joinedAt !== undefined && joinedAt >= stageSince;
}

/** Of those who tell, or are expected to. */
export function partsOfJoined(rollout: Rollout, devices: readonly DeviceFacts[], heard: Heard): Parts {
  const partOf = (agents: readonly string[]) =>
    agents.filter((agent) => joinedInLast(rollout, agent)).length / Math.max(1, agents.length);
  const all = telling(rollout, devices);
  return {
    pairs: partOf(all.filter((one) => tells(rollout, one, heard)).map(agentOf)),
    labels: partOf(all.filter(labelledBy(rollout, heard)).map(agentOf)),
  };
}

/** The last stage in words, with those who joined and are to be heard, and are not yet: whoever is woken looks there first. */
export function whereInLast(rollout: Rollout, devices: readonly DeviceFacts[], heard: Heard): string {
  const joined = telling(rollout, devices).filter(({ member }) => joinedInLast(rollout, member.agent));
  const silent = joined.filter((one) => !heard.told.has(agentOf(one)) && tells(rollout, one, heard));
  const toLabel = joined.filter((one) => !heard.labelled.has(agentOf(one))).filter(labelledBy(rollout, heard));
  const needed = rollout.policy.metrics.filter(({ required }) => required).map(({ metric }) => metric);
  const pairs = needed.some((metric) => metric !== "drift" && !metric.startsWith("business:"));
  const labels = needed.includes("accuracy");
  const parts = partsOfJoined(rollout, devices, heard);
  // Nobody joined, or all who did are given up on.
  if (!pairs || (parts.pairs === 0 && !(labels && parts.labels > 0))) return "in the last stage";
  const away = joined.filter((one) => !one.device.online && tells(rollout, one, heard));
  const missing = [
    ...(away.length > 0 ? [`away: ${named(away)}`] : []),
    ...(silent.length > 0 ? [`${named(silent)} sent no comparison of both versions yet`] : []),
    ...(labels && toLabel.length > 0 ? [`no label came of what ${named(toLabel)} answered`] : []),
  ];
  const who = missing.length > 0 ? ` (${missing.join("; ")})` : "";
  return `in the last stage, where those that joined must be heard too${who}`;
}

function named([first, ...others]: readonly Telling[]): string {
  return `${first ? agentOf(first) : "nobody"}${others.length > 0 ? ` and ${others.length} more` : ""}`;
}

/** Those who joined as the stage began, have not told yet, and will soon; nobody where they are few of all who joined. */
export function stillToTell(rollout: Rollout, devices: readonly DeviceFacts[], { told, now }: Heard): string[] {
  const joined = telling(rollout, devices).filter(({ member }) => joinedInLast(rollout, member.agent));
  const silent = joined.filter(
    ({ member, device }) =>
      !told.has(member.agent) &&
      device.online &&
      cameInTime(rollout, member) &&
      lookedMs(rollout.outages, member.since, now) < soonMs,
  );
  return silent.length * enoughTimes <= joined.length ? [] : silent.map(agentOf);
}

interface Telling {
  readonly member: Member;
  readonly device: DeviceFacts;
}
const agentOf = ({ member }: Telling) => member.agent;

/** Members that count, and can be asked for both versions: one that has no memory for two never tells how they compare. */
function telling({ members }: Rollout, devices: readonly DeviceFacts[]): Telling[] {
  return devices.flatMap((device) => {
    const member = members.get(device.agent);
    const can = member?.kind === "canary" && member.state === "counted" && device.shadows && !device.lacksBoth;
    return can ? [{ member, device }] : [];
  });
}

/**
 * Whether it has told, or is to be heard before others are taken for all. Not for longer than devices are waited for until they
 * count, while somebody looks; nor a page that was closed before it told.
 */
function tells(rollout: Rollout, { member, device }: Telling, { told, now }: Heard): boolean {
  const { agent, since } = member;
  const at = told.get(agent)?.at;
  const from = at ?? Math.max(since, rollout.stageSince ?? since);
  if (lookedMs(rollout.outages, from, now) >= patienceOf(rollout)) return false;
  return at !== undefined || (cameInTime(rollout, member) && (!device.page || device.online));
}

/**
 * The same of labels. How late they come is nobody's fault, so it goes by what they have reached: where labels of what others
 * answered so long after its first rows are known, and none of its own, nobody labels it.
 */
function labelledBy(rollout: Rollout, heard: Heard): (one: Telling) => boolean {
  const { told, labelled, now } = heard;
  const latest = [...labelled.values()].reduce((a, b) => Math.max(a, b), Number.NEGATIVE_INFINITY);
  // A device's time is its word.
  const reached = Math.min(now, latest);
  return (one) => {
    const own = labelled.get(agentOf(one));
    if (own === undefined && !(cameInTime(rollout, one.member) && tells(rollout, one, heard))) return false;
    const from = own ?? told.get(agentOf(one))?.from ?? now;
    return lookedMs(rollout.outages, from, reached) < patienceOf(rollout);
  };
}

function patienceOf({ policy }: Rollout): number {
  return policy.timeoutMinutes * 60_000;
}
