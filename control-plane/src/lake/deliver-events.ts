/**
 * Brings predictions to HTTP receivers as CloudEvents in batches, in the order in which they came to the lake, at least
 * once: the cursor moves when the receiver has answered 2xx. A receiver that fails is tried again ever less often.
 */
import { readFile } from "node:fs/promises";
import { messageOf } from "@vedette/protocol/errors";
import { backoffMs } from "../backoff.ts";
import type { Clock, DueSink, Logger, RecordRow, Records } from "../ports.ts";
import { cloudEvents } from "./cloud-events.ts";

/** Rows of one delivery; each is one or two events. */
const batchRows = 200;
/** Deliveries to one sink in one round, so that none keeps the others waiting for long. */
const roundBatches = 50;
const answerWithinMs = 15_000;
const retry = { firstMs: 1_000, longestMs: 300_000 };

export function createEventDelivery(ports: {
  site: string;
  records: Records;
  clock: Clock;
  logger: Logger;
  /** File of a sink's bearer token; there may be none. */
  tokenFile(name: string): string;
  /** In [0, 1). */
  random: () => number;
  request?: typeof fetch;
}): () => Promise<void> {
  const { site, records, clock, logger, tokenFile, random, request = fetch } = ports;

  const post = async (sink: DueSink, rows: readonly RecordRow[], authorization: Record<string, string>) => {
    const names = await records.originals();
    const events = rows.flatMap((row) => cloudEvents(row, site, names.get(String(row.model)) ?? new Map()));
    const answer = await request(sink.url, {
      method: "POST",
      headers: { "content-type": "application/cloudevents-batch+json; charset=utf-8", ...authorization },
      body: JSON.stringify(events),
      // Followed, it would carry the token elsewhere.
      redirect: "manual",
      signal: AbortSignal.timeout(answerWithinMs),
    });
    await answer.body?.cancel();
    if (answer.status < 200 || answer.status > 299) throw new Error(`the receiver answered ${answer.status}`);
  };

  const deliver = async (sink: DueSink) => {
    const authorization = await bearer(tokenFile(sink.name));
    let cursor = { batch: sink.batch, n: sink.n };
    for (let i = 0; i < roundBatches; i++) {
      const rows = await records.rowsAfter(cursor, sink.model, batchRows);
      const last = rows.at(-1);
      if (!last) return;
      await post(sink, rows, authorization);
      cursor = { batch: Number(last.batch), n: Number(last.n) };
      await records.delivered(sink.name, cursor, rows.length);
      if (rows.length < batchRows) return;
    }
  };

  return async () => {
    const due = await records.dueSinks();
    await Promise.all(
      due.map(async (sink) => {
        const from = clock.now();
        try {
          await deliver(sink);
        } catch (error) {
          const inMs = backoffMs(sink.failures, retry, random);
          logger.warn("sink.failed", { sink: sink.name, why: messageOf(error), inMs, afterMs: clock.now() - from });
          await records.deliveryFailed(sink.name, messageOf(error), inMs);
        }
      }),
    );
  };
}

async function bearer(file: string): Promise<Record<string, string>> {
  try {
    return { authorization: `Bearer ${(await readFile(file, "utf8")).trim()}` };
  } catch (error) {
    if (error instanceof Error && "code" in error && error.code === "ENOENT") return {};
    throw error;
  }
}
