/** When rollouts were last looked at, over restarts: so that what was missed meanwhile is known. */
import type { Database } from "../../db/database.ts";

const key = "note:rollouts.looked-at";
/** What is noted is behind by so much at most, ms. */
const noteEveryMs = 30_000;

/** Moments are UTC ms. */
export interface LookedAt {
  /** Of one rollout: since it was last looked at by this process, or by one before. @returns ms, 0 where it never was. */
  missedMs(rollout: number, now: number): Promise<number>;
  looked(rollout: number, now: number): void;
  /**
   * For the next process. After all were looked at, since what is noted is not missed any more: killed before it, the next one finds
   * the same outage, and `putOff` knows where that was given back.
   */
  note(now: number): Promise<void>;
}

export function createLookedAt({ settings }: Pick<Database, "settings">): LookedAt {
  const mine = new Map<number, number>();
  let before: number | undefined;
  let noted = Number.NEGATIVE_INFINITY;
  return {
    async missedMs(rollout, now) {
      before ??= Number((await settings.read(key)) ?? now);
      return Math.max(0, now - (mine.get(rollout) ?? before));
    },
    looked: (rollout, now) => void mine.set(rollout, now),
    async note(now) {
      if (now - noted < noteEveryMs) return;
      await settings.write(key, String(now));
      noted = now;
    },
  };
}
