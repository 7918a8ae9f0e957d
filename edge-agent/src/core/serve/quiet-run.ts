/** How long a model itself takes, apart from queues and a busy device: the best of a few runs of one row. */
import type { Clock } from "../ports.ts";
import { neededOutputs } from "./decode-outputs.ts";
import { feederOf } from "./feeds.ts";
import type { ServingVersion } from "./serving-version.ts";

const runs = 3;
/** What one run may take, in latency budgets: a busy processor slows it down, and hardly so much. */
const patience = 20;

/** Best time of the runs, ms; infinite where none ended in time. @throws VedetteError model_failed. */
export async function quietRunMs(
  { manifest, session }: Pick<ServingVersion, "manifest" | "session">,
  clock: Clock,
): Promise<number> {
  const feed = feederOf(manifest)(new Float32Array(manifest.input.fields.length), 1);
  const wanted = neededOutputs(manifest.output);
  let best = Number.POSITIVE_INFINITY;
  for (let i = 0; i < runs; i++) {
    const started = clock.monotonic();
    const ended = await within(clock, patience * manifest.limits.latencyMs, session.run(feed, wanted));
    if (!ended) break;
    best = Math.min(best, clock.monotonic() - started);
  }
  return best;
}

/** Whether the work ended in time. What ends later is nobody's business any more. */
function within(clock: Clock, ms: number, work: Promise<unknown>): Promise<boolean> {
  return new Promise((resolve, reject) => {
    const cancel = clock.after(ms, () => resolve(false));
    work.then(
      () => {
        cancel();
        resolve(true);
      },
      (error: unknown) => {
        cancel();
        reject(error);
      },
    );
  });
}
