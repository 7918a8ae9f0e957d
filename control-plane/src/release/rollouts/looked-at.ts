/** When rollouts were last looked at, over restarts: so that what was missed meanwhile is known. */
import type { Database } from "../../db/database.ts";

const key = "note:rollouts.looked-at";
/** What is noted is behind by so much at most, ms. */
const noteEveryMs = 30_000;

export interface LookedAt {
  /** @param now UTC ms, of a look. @returns ms since the one before, 0 where there was none. */
  look(now: number): Promise<number>;
}

export function createLookedAt({ settings }: Pick<Database, "settings">): LookedAt {
  let last: number | undefined;
  let noted = Number.NEGATIVE_INFINITY;
  return {
    async look(now) {
      const before = last ?? Number((await settings.read(key)) ?? now);
      last = now;
      if (now - noted >= noteEveryMs) {
        await settings.write(key, String(now));
        noted = now;
      }
      return Math.max(0, now - before);
    },
  };
}
