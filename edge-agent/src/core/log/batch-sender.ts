/**
 * Sends the batches of one log, oldest first, and deletes what the control plane says it has stored. PUBACK proves
 * nothing about storage, so it is ignored: a batch is sent again, the same bytes, until it is acknowledged by its number.
 */
import { codeOf, messageOf } from "@vedette/protocol/errors";
import type { Ack } from "@vedette/protocol/messages";
import type { Clock, Logger, Random } from "../ports.ts";
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
  log: Pick<PredictionLog, "batches" | "epoch">;
  publish: (frame: Uint8Array) => Promise<void>;
  clock: Clock;
  random: Random;
  logger: Logger;
}): BatchSender {
  const { log, publish, clock, random, logger } = options;
  const { batches } = log;
  let up = false;
  let cancelPause: (() => void) | undefined;
  /** By batch number: how to cancel what sends it again. */
  const inFlight = new Map<number, () => void>();
  /** Refused for good, and on the way out of the queue. */
  const leaving = new Set<number>();

  function pump(): void {
    if (!up || cancelPause) return;
    for (const { seq } of batches.waiting) {
      if (inFlight.size >= window) return;
      if (!inFlight.has(seq) && !leaving.has(seq)) send(seq, 0);
    }
  }

  function send(seq: number, attempt: number): void {
    const wait = Math.min(firstResendMs * 2 ** attempt, longestResendMs) * (0.75 + 0.5 * random.unit());
    const again = (): void => {
      inFlight.delete(seq);
      if (!up || leaving.has(seq) || !batches.has(seq)) pump();
      else if (cancelPause) inFlight.set(seq, () => undefined);
      else send(seq, attempt + 1);
    };
    inFlight.set(seq, clock.after(wait, again));
    transmit(seq).catch((error: unknown) => {
      // A lost connection is the ordinary case; what else went wrong should be seen. Either way the timer sends again.
      if (codeOf(error) !== "offline") logger.warn("batch_not_sent", { seq, error: messageOf(error) });
    });
  }

  async function transmit(seq: number): Promise<void> {
    const frame = await batches.read(seq);
    if (frame && inFlight.has(seq)) await publish(frame);
  }

  function forget(seqs: Iterable<number>): void {
    for (const seq of seqs) {
      inFlight.get(seq)?.();
      inFlight.delete(seq);
    }
  }

  function drop(seqs: readonly number[]): void {
    if (seqs.length === 0) return;
    leave(seqs, batches.drop(seqs));
  }

  /** Takes batches out of the window at once; where the disk fails they wait as before and are sent again. */
  function leave(seqs: readonly number[], going: Promise<void>): void {
    forget(seqs);
    for (const seq of seqs) leaving.add(seq);
    going
      .catch((error: unknown) => logger.error("batch_not_deleted", { seqs, error: messageOf(error) }))
      .finally(() => {
        for (const seq of seqs) leaving.delete(seq);
        pump();
      });
    pump();
  }

  function pause(ms: number): void {
    cancelPause?.();
    cancelPause = clock.after(ms, () => {
      cancelPause = undefined;
      forget([...inFlight.keys()]);
      pump();
    });
  }

  function storedUpTo(upTo: number, also: readonly number[]): void {
    const going: number[] = [];
    for (const { seq } of batches.waiting) {
      if (seq > upTo) break;
      going.push(seq);
    }
    going.push(...also.filter((seq) => seq > upTo && batches.has(seq)).sort((a, b) => a - b));
    drop(going.filter((seq) => !leaving.has(seq)));
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
      else if (ack.epoch !== log.epoch) logger.info("ack_of_another_epoch", { epoch: ack.epoch });
      else if ("reject" in ack) {
        const waits = batches.has(ack.reject) && !leaving.has(ack.reject);
        if (waits) leave([ack.reject], batches.reject(ack.reject, ack.why));
      } else storedUpTo(ack.upTo, ack.also);
    },
    stored(upTo, epoch) {
      if (epoch === log.epoch) storedUpTo(upTo, []);
    },
  };
}
