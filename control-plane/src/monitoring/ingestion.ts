/**
 * Takes batches from the broker to the inbox thread. While one commit is under way the next frames gather, so that one
 * fsync serves many devices; a group whose thread died is given to the next thread, for the keys make that harmless.
 */
import { VedetteError } from "@vedette/protocol/errors";
import type { Ack } from "@vedette/protocol/messages";
import type { Clock, Ingestion, Logger } from "../ports.ts";
import type { InboxFrame, Taken } from "./inbox.ts";
import type { InboxCalls } from "./inbox-worker.ts";
import type { Thread } from "./worker-thread.ts";

const groupFrames = 512;
const groupBytes = 16 * 1024 * 1024;
/** Bytes that may wait for the thread before devices are asked to pause. */
const defaultQueueBytes = 64 * 1024 * 1024;
const pauseMs = 5000;
const attempts = 3;

interface Waiting extends Omit<InboxFrame, "keys"> {
  resolve(ack: Ack): void;
  reject(error: unknown): void;
}

/** The public keys that a device may sign batches with, hex; none where it is not known. */
export type DeviceKeys = (agent: string) => Promise<readonly string[]>;

/** Ingestion over an inbox thread. `queueBytes`: what may wait in memory. */
export function createIngestion(options: {
  thread: Thread<InboxCalls>;
  clock: Clock;
  logger: Logger;
  deviceKeys: DeviceKeys;
  queueBytes?: number;
}): Ingestion & { idle(): Promise<void> } {
  const { thread, clock, logger, deviceKeys, queueBytes = defaultQueueBytes } = options;
  const queue: Waiting[] = [];
  let queued = 0;
  let draining: Promise<void> | undefined;

  const drain = async () => {
    while (queue.length > 0) {
      const group: Waiting[] = [];
      for (let bytes = 0; queue.length > 0 && group.length < groupFrames && bytes < groupBytes; ) {
        const next = queue.shift() as Waiting;
        bytes += next.frame.length;
        group.push(next);
      }
      try {
        const taken = await commit(group);
        for (const [i, from] of group.entries()) answer(from, taken[i] as Taken);
      } catch (error) {
        for (const from of group) from.reject(error);
      }
      for (const from of group) queued -= from.frame.length;
    }
    draining = undefined;
  };

  const commit = async (group: readonly Waiting[]): Promise<Taken[]> => {
    const keys = new Map<string, readonly string[]>();
    for (const { agent } of group) if (!keys.has(agent)) keys.set(agent, await deviceKeys(agent));
    const frames = group.map(({ agent, stream, frame }) => ({ agent, stream, frame, keys: keys.get(agent) ?? [] }));
    for (let attempt = 1; ; attempt++) {
      try {
        return await thread.call("take", { frames, received: clock.now() });
      } catch (error) {
        if (attempt === attempts) throw error;
        logger.warn("ingestion.retried", { batches: frames.length, attempt, error: String(error) });
      }
    }
  };

  const answer = ({ agent, stream, resolve, reject }: Waiting, taken: Taken) => {
    if ("error" in taken) return reject(new VedetteError(taken.error.code, taken.error.message));
    if (taken.refused) logger.warn("ingestion.refused", { agent, stream, why: taken.refused });
    resolve(taken.ack);
  };

  return {
    take(agent, stream, frame) {
      if (queued + frame.length > queueBytes) {
        logger.warn("ingestion.paused", { agent, stream, queued });
        return Promise.resolve({ pause: pauseMs });
      }
      queued += frame.length;
      return new Promise((resolve, reject) => {
        // A copy: what the broker hands over is a window into its read buffer, all of which would cross to the thread.
        queue.push({ agent, stream, frame: frame.slice(), resolve, reject });
        draining ??= Promise.resolve().then(drain);
      });
    },
    stored: (agent, streams) => thread.call("stored", { agent, streams: [...streams], received: clock.now() }),
    missing: () => thread.call("missing", undefined),
    missingByReason: () => thread.call("missingByReason", undefined),
    withheld: () => thread.call("withheld", undefined),
    async idle() {
      await draining;
    },
  };
}
