/** What devices found beside each other is kept for a while after its rollout, for replays; then it makes room. */
import type { Database } from "../../db/database.ts";
import type { Clock } from "../../ports.ts";

const keptMs = 30 * 86_400_000;
/** At once: a delete holds up all else. */
const most = 5_000;

/** Forgets parcels that are older than thirty days and of no rollout that is still under way; some at a time. */
export async function forgetEvidence({ db, clock }: { db: Database; clock: Clock }): Promise<void> {
  const candidates = (await db.rollouts.live()).map(({ digest }) => digest);
  await db.shadows.prune(clock.now() - keptMs, candidates, most);
}
