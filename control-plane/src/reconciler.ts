/** Runs idempotent work on a timer; one run at a time, and a failed run is logged and tried again at the next. */
import { messageOf } from "@vedette/protocol/errors";
import type { Clock, Logger } from "./ports.ts";

export interface Reconciler {
  readonly name: string;
  /** From the end of one run to the next. */
  readonly everyMs: number;
  readonly work: () => Promise<void>;
}

/** Starts; the answer stops it and resolves when the run under way has ended. */
export function startReconciler(options: Reconciler, ports: { clock: Clock; logger: Logger }): () => Promise<void> {
  const { name, everyMs, work } = options;
  let running: Promise<void> = Promise.resolve();
  let cancel = ports.clock.after(everyMs, tick);
  let stopped = false;
  function tick(): void {
    running = work()
      .catch((error: unknown) => ports.logger.error("reconciler.failed", { name, why: messageOf(error) }))
      .then(() => {
        if (!stopped) cancel = ports.clock.after(everyMs, tick);
      });
  }
  return async () => {
    stopped = true;
    cancel();
    await running;
  };
}
