/**
 * What rollouts have to do with what runs where, for those who ask: which device runs, or is asked, a version because of which
 * rollout; and what was taken back lately. Pure, but for reading the rollouts.
 */
import type { Device } from "@vedette/protocol/api";
import type { Production } from "@vedette/protocol/production-api";
import type { Database } from "../../db/database.ts";
import type { MemberKind, Rollout } from "../../db/rollout-records.ts";
import type { RolloutFacts } from "../../db/rollouts.ts";
import { isoTime } from "../../iso-time.ts";
import { isOver } from "./advance.ts";
import { describeLive } from "./describe-rollout.ts";

type BecauseOf = NonNullable<Device["rollouts"]>[number];

export interface RolloutsNow {
  readonly live: readonly Rollout[];
  /** Of each model the last one, where it was taken back within a week. */
  readonly takenBack: readonly Rollout[];
  /** Of each version the last one, where it is over and did not promote it. */
  readonly notKept: readonly RolloutFacts[];
}

const lately = 7 * 86_400_000;
const mostRollouts = 200;

/** @param now UTC ms. */
export async function readRolloutsNow(db: Pick<Database, "rollouts">, now: number): Promise<RolloutsNow> {
  const all = await db.rollouts.list(mostRollouts);
  const lastOfEach = [...Map.groupBy(all, ({ model }) => model).values()].flatMap(([last]) => last ?? []);
  const ended = lastOfEach.filter(({ state, endedAt }) => {
    return (state === "rolled_back" || state === "aborted") && endedAt !== null && now - endedAt < lately;
  });
  const found = await Promise.all(ended.map(({ id }) => db.rollouts.find(id)));
  const lastOfVersions = [...Map.groupBy(all, ({ digest }) => digest).values()].flatMap(([last]) => last ?? []);
  return {
    live: await db.rollouts.live(),
    takenBack: found.flatMap((one) => one ?? []),
    notKept: lastOfVersions.filter(({ state }) => isOver(state) && state !== "promoted"),
  };
}

export function devicesWithRollouts(devices: readonly Device[], { live, takenBack }: RolloutsNow): Device[] {
  return devices.map((device) => {
    const because: BecauseOf[] = [
      ...live.flatMap((rollout) => {
        const { model, version, members } = rollout;
        const { given = null, state = "", reason = null } = members.get(device.agent) ?? {};
        if (given === null || given === "control") return [];
        return [{ ...numberOf(rollout), model, version, as: given, state, why: reason }];
      }),
      ...takenBack.flatMap((rollout) => {
        const { model, version, state, why } = rollout;
        const back = { ...numberOf(rollout), model, version, as: "returned" as const, state, why };
        return hadIt(rollout).includes(device.agent) ? [back] : [];
      }),
    ];
    return because.length > 0 ? { ...device, rollouts: because } : device;
  });
}

export function productionWithRollouts(answer: Production, { live, takenBack, notKept }: RolloutsNow): Production {
  const models = answer.models.map((one) => {
    const versions = one.versions.map((version) => {
      const of = live.filter(({ digest, model }) => digest === version.digest && model === one.model);
      const byRollout = of.map((rollout) => {
        const given = (kind: MemberKind) =>
          [...rollout.members.values()].flatMap((member) => (member.given === kind ? [member.agent] : [])).sort();
        const split = given("split");
        const those = { canary: given("canary"), shadow: given("shadow"), ...(split.length > 0 && { split }) };
        return { ...numberOf(rollout), ...those };
      });
      const last = notKept.find(({ digest, model }) => digest === version.digest && model === one.model);
      return { ...version, ...(byRollout.length > 0 && { byRollout }), ...(last && { notKept: ending(last) }) };
    });
    const back = takenBack.find(({ model }) => model === one.model);
    if (!back) return { ...one, versions };
    const answers = new Set(one.versions.find(({ digest }) => digest === back.digest)?.serving ?? []);
    const had = hadIt(back);
    const waiting = had.filter((agent) => answers.has(agent));
    const told = { ...ending(back), version: back.version, devices: had.length, waiting };
    return { ...one, versions, takenBack: told };
  });
  return { ...answer, models, ...(live.length > 0 && { rollouts: live.map(describeLive) }) };
}

/** Experiments are numbered with rollouts. */
function numberOf({ id, experiment }: Pick<Rollout, "id" | "experiment">): { rollout: number; experiment?: true } {
  return { rollout: id, ...(experiment && { experiment: true }) };
}

function ending(rollout: RolloutFacts) {
  const { state, why, endedAt } = rollout;
  return { ...numberOf(rollout), state, why, endedAt: isoTime(endedAt ?? 0) };
}

/** Devices that were given it to answer by, at least in part. */
function hadIt({ members }: Rollout): string[] {
  return [...members.values()]
    .flatMap(({ agent, kind, takenAt }) => ((kind === "canary" || kind === "split") && takenAt !== null ? [agent] : []))
    .sort();
}
