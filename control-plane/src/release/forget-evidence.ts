/**
 * What is kept of releases that are over, so that the database does not grow for ever. A reconciler's work, idempotent. What a
 * live rollout is judged by is never touched; a parcel that is forgotten or merged and comes again is not counted again.
 */
import { setImmediate } from "node:timers/promises";
import type { Database } from "../db/database.ts";
import type { Clock, Logger } from "../ports.ts";
import { addCounts } from "./analysis/merge-parcels.ts";

const day = 86_400_000;
/** Parcels of devices that were away come late. */
const mergedAfterMs = 3_600_000;
/** Of one device and pair, what came within so long becomes one parcel once the rollout is over. */
const mergedMs = 900_000;
/** After the end of a rollout: what devices found, for replays by other metrics. */
export const parcelsKeptMs = 35 * day;
/** After the end of a rollout: what the engine was told, for replays by other stages and limits. */
export const historyKeptMs = 400 * day;
/** After an assignment named it for the first time, what a device tells of a pair is refused. */
const pairsKeptMs = 400 * day;
const mostRollouts = 10_000;

export function createEvidenceRetention(ports: {
  db: Pick<Database, "rollouts" | "shadows">;
  clock: Clock;
  logger: Logger;
  /** Parcels that one transaction looks at. */
  atOnce?: number;
}): () => Promise<void> {
  const { db, clock, logger, atOnce = 1000 } = ports;
  /** Rollouts whose parcels this process has merged; what a restart forgot is looked at again, once. */
  const merged = new Set<number>();

  async function mergeParcels(now: number): Promise<number> {
    const live = (await db.rollouts.live()).map(({ digest }) => digest);
    let gone = 0;
    for (const { id, model, digest, endedAt } of await db.rollouts.list(mostRollouts)) {
      if (endedAt === null || endedAt > now - mergedAfterMs || endedAt < now - parcelsKeptMs) continue;
      // A version that is tried again has the same pairs.
      if (merged.has(id) || live.includes(digest)) continue;
      for (const agent of (await db.rollouts.find(id))?.members.keys() ?? []) {
        gone += await db.shadows.merge({ agent, model, digest }, mergedMs, addCounts);
        // Devices are served between: there may be thousands of these.
        await setImmediate();
      }
      merged.add(id);
    }
    return gone;
  }

  return async () => {
    const now = clock.now();
    const mergedAway = await mergeParcels(now);
    let removed = 0;
    let after = 0;
    for (;;) {
      const pruned = await db.shadows.prune({ before: now - parcelsKeptMs, after, limit: atOnce });
      removed += pruned.removed;
      if (pruned.seen < atOnce) break;
      after = pruned.last;
      await setImmediate();
    }
    const steps = await db.rollouts.pruneHistory(now - historyKeptMs);
    const pairs = await db.shadows.forgetPairs(now - pairsKeptMs);
    if (mergedAway + removed + steps + pairs > 0)
      logger.info("release.pruned", { parcels: removed, merged: mergedAway, steps, pairs });
  };
}
