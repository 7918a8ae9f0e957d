/**
 * Why a device that has the candidate does not count yet, where neither it nor the version is at fault: nobody asks it, or others
 * than the model answer there. By what devices themselves count of their answers, held against what they had counted when they
 * first said that they follow; a process that begins anew begins there anew. `rollouts.ts` has one, and `describe-rollout.ts`
 * tells what it found; the engine knows nothing of it.
 */
import type { ReportedSlot } from "@vedette/protocol/messages";
import type { DeviceRecord } from "../../db/records.ts";
import type { Rollout } from "../../db/rollout-records.ts";
import { isOver } from "./advance.ts";
import { inFlight } from "./step-member.ts";

/** Of one device, about the model of a rollout. */
export interface Asked {
  /** UTC ms. */
  readonly since: number;
  /** Since then: all answers, and those by others than the model (cache, rule, none), which are the fallback's. */
  readonly answers: number;
  readonly fallbacks: number;
  /** Why the fallback answered, as devices name it. */
  readonly reasons: Readonly<Record<string, number>>;
}
type Counters = Pick<ReportedSlot, "sources" | "reasons">;

/** Devices tell their counters about once a minute: that nobody asked is not known before. ms. */
const quietMs = 2 * 60_000;
const none: Counters = { sources: {}, reasons: {} };

export interface AskedSince {
  /** @param devices with their last reports. Answers for each member that has the candidate, follows, and does not count yet. */
  look(rollout: Rollout, devices: readonly DeviceRecord[], now: number): ReadonlyMap<string, Asked>;
}

export function createAskedSince(): AskedSince {
  /** By rollout and agent: where its counters stood, of which try. */
  const begun = new Map<number, Map<string, { since: number; takenAt: number | null; at: Counters }>>();

  return {
    look(rollout, devices, now) {
      const found = new Map<string, Asked>();
      if (isOver(rollout.state)) {
        begun.delete(rollout.id);
        return found;
      }
      const before = begun.get(rollout.id);
      const next: typeof before = new Map();
      for (const { agent, report } of devices) {
        const member = rollout.members.get(agent);
        const slot = report?.slots.find(({ model }) => model === rollout.model);
        if (!member || !slot || !inFlight(member) || (report?.rev ?? 0) <= member.takenRev) continue;
        const { takenAt } = member;
        const known = before?.get(agent);
        // Its agent was started anew: so were its counters.
        const again = known && totalOf(slot.sources) < totalOf(known.at.sources);
        const from = again ? { since: now, takenAt, at: none } : known;
        const baseline = from?.takenAt === takenAt ? from : { since: now, takenAt, at: slot };
        next.set(agent, baseline);
        const asked = difference(baseline.at, slot, baseline.since);
        if (asked.answers > 0 || now - asked.since >= quietMs) found.set(agent, asked);
      }
      begun.set(rollout.id, next);
      return found;
    },
  };
}

function difference(before: Counters, now: Counters, since: number): Asked {
  const answers = totalOf(now.sources) - totalOf(before.sources);
  const byModel = (now.sources.model ?? 0) - (before.sources.model ?? 0);
  const grown = Object.entries(now.reasons).map(([name, n]): [string, number] => [
    name,
    n - (before.reasons[name] ?? 0),
  ]);
  return {
    ...{ since, answers, fallbacks: Math.max(0, answers - byModel) },
    reasons: Object.fromEntries(grown.filter(([, n]) => n > 0)),
  };
}

function totalOf(sources: Counters["sources"]): number {
  return Object.values(sources).reduce((sum, count) => sum + count, 0);
}
