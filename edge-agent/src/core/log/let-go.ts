/**
 * Rows leave a device by being stored above, where those of an erased entity are erased as they come. So a device is rid
 * of all it logged until now when every batch that waits now is gone; what was set aside for a person goes too.
 */
import type { Clock, Storage } from "../ports.ts";
import type { PredictionLog } from "./prediction-log.ts";

const lookEveryMs = 2_000;

/**
 * Resolves when nothing is left on this device of what `log` holds now. Batches leave as fast as they are stored.
 * @param folder of the log.
 */
export async function letGo(
  log: Pick<PredictionLog, "batches" | "cut">,
  folder: string,
  { clock, storage }: { clock: Clock; storage: Storage },
): Promise<void> {
  await log.cut();
  const waiting = new Set([...log.batches.waiting].map(({ key }) => key));
  while ([...waiting].some((key) => log.batches.get(key) !== undefined)) {
    await new Promise<void>((resolve) => void clock.after(lookEveryMs, resolve));
  }
  const rejected = `${folder}/rejected`;
  for (const name of await storage.list(rejected)) await storage.remove(`${rejected}/${name}`);
}
