/**
 * Sends the batches of one log, oldest first, and deletes what the control plane says it has stored. PUBACK proves
 * nothing about storage, so it is ignored: a batch is sent again, the same bytes, until it is acknowledged by its number.
 */
import { codeOf, messageOf } from "@vedette/protocol/errors";
import type { Ack } from "@vedette/protocol/messages";
import type { Clock, Crypto, Logger, Random } from "../ports.ts";
import type { PredictionLog } from "./prediction-log.ts";

export interface BatchSender {
  /** The connection is up: everything that is not acknowledged is sent (again). */
  connected(): void;
  disconnected(): void;
  /** What came on the ack topic. Acks of another epoch, doubled or out of order do no harm. */
  acked(ack: Ack): void;
  /** What the answer to a hello says is stored without a hole; −1 for nothing. */
  stored(upTo: number, epoch: string): void;
}

/** Batches sent and not acknowledged. */
const window = 2;
const firstResendMs = 10_000;
const longestResendMs = 5 * 60_000;

/**
 * @param options.publish sends one frame on the log's topic at QoS 1; a rejection is no loss, the batch still waits.
 */
export function createBatchSender(options: {
  log: Pick<PredictionLog, "batches">;
  /** sha256 of a frame, hex. */
  sha256: Crypto["sha256"];
  publish: (frame: Uint8Array) => Promise<void>;
  clock: Clock;
  random: Random;
  logger: Logger;
}): BatchSender {
  const { publish, clock, random, logger } = options;
  const { batches } = options.log;
  let up = false;
  let cancelPause: (() => void) | undefined;
  /** By the queue's key: how to cancel what sends it again. */
  const inFlight = new Map<string, () => void>();
  /** Stored or refused for good, and on the way out of the queue. */
  const leaving = new Set<string>();

  function pump(): void {
    if (!up || cancelPause) return;
    for (const { key } of batches.waiting) {
      if (inFlight.size >= window) return;
      if (!inFlight.has(key) && !leaving.has(key)) send(key, 0);
    }
  }

  function send(key: string, attempt: number): void {
    const wait = Math.min(firstResendMs * 2 ** attempt, longestResendMs) * (0.75 + 0.5 * random.unit());
    const again = (): void => {
      inFlight.delete(key);
      if (!up || leaving.has(key) || !batches.get(key)) pump();
      else if (cancelPause) inFlight.set(key, () => undefined);
      else send(key, attempt + 1);
    };
    inFlight.set(key, clock.after(wait, again));
    transmit(key).catch((error: unknown) => {
      // A lost connection is the ordinary case; what else went wrong should be seen. Either way the timer sends again.
      if (codeOf(error) !== "offline") logger.warn("batch_not_sent", { key, error: messageOf(error) });
    });
  }

  async function transmit(key: string): Promise<void> {
    const frame = await batches.read(key);
    if (frame && inFlight.has(key)) await publish(frame);
  }

  function forget(keys: Iterable<string>): void {
    for (const key of keys) {
      inFlight.get(key)?.();
      inFlight.delete(key);
    }
  }

  /** Takes batches out of the window at once; where the disk fails they wait as before and are sent again. */
  function leave(keys: readonly string[], going: Promise<void>): void {
    forget(keys);
    for (const key of keys) leaving.add(key);
    going
      .catch((error: unknown) => logger.error("batch_not_deleted", { keys, error: messageOf(error) }))
      .finally(() => {
        for (const key of keys) leaving.delete(key);
        pump();
      });
    pump();
  }

  /** A refusal that does not name these very bytes may speak of a forged batch, or of one that was replaced since. */
  async function rejected({ epoch, reject, frame: refused, why }: Extract<Ack, { reject: number }>): Promise<void> {
    for (const { key, ...batch } of batches.waiting) {
      if (batch.epoch !== epoch || batch.seq !== reject || leaving.has(key)) continue;
      const frame = await batches.read(key);
      const hash = frame && (await options.sha256(frame));
      if (hash === undefined || leaving.has(key)) return;
      if (refused !== hash) logger.warn("refusal_of_other_bytes", { key, why });
      else leave([key], batches.reject(key, why));
      return;
    }
  }

  function pause(ms: number): void {
    cancelPause?.();
    cancelPause = clock.after(ms, () => {
      cancelPause = undefined;
      forget([...inFlight.keys()]);
      pump();
    });
  }

  function stored(epoch: string, upTo: number, also: readonly number[]): void {
    const beyond = new Set(also);
    const going: string[] = [];
    for (const batch of batches.waiting) {
      if (batch.epoch !== epoch || leaving.has(batch.key)) continue;
      let { seq } = batch;
      while (seq <= batch.through && (seq <= upTo || beyond.has(seq))) seq = seq <= upTo ? upTo + 1 : seq + 1;
      if (seq > batch.through) going.push(batch.key);
    }
    if (going.length > 0) leave(going, batches.drop(going));
  }

  batches.onAdded(pump);
  return {
    connected() {
      up = true;
      forget([...inFlight.keys()]);
      pump();
    },
    disconnected() {
      up = false;
      // A control plane that is still busy says so again.
      cancelPause?.();
      cancelPause = undefined;
      forget([...inFlight.keys()]);
    },
    acked(ack) {
      if ("pause" in ack) pause(ack.pause);
      else if ("reject" in ack) {
        rejected(ack).catch((error: unknown) => logger.error("refusal_not_followed", { error: messageOf(error) }));
      } else stored(ack.epoch, ack.upTo, ack.also);
    },
    stored: (upTo, epoch) => stored(epoch, upTo, []),
  };
}
