/**
 * The lake and its inbox, as the composition root opens them. Three threads: the caller's (which only passes on), the
 * inbox's (judges, stores, acknowledges) and the lake's (turns what is stored into Parquet). Where labels come, a fourth
 * keeps them and holds them against the lake.
 */
import { mkdir, rm } from "node:fs/promises";
import { join } from "node:path";
import { maxQueryRows } from "@vedette/protocol/api";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { z } from "zod";
import type { InboxCalls } from "../monitoring/inbox-worker.ts";
import { createIngestion, type DeviceKeys } from "../monitoring/ingestion.ts";
import { startThread } from "../monitoring/worker-thread.ts";
import type { Clock, Ingestion, Labels, Lake, Logger, Records, StoredCount } from "../ports.ts";
import { createLabels } from "./labels.ts";
import type { LakeCalls } from "./lake-worker.ts";
import { defaultQueryLimits, type Query, type QueryLimits, runQuery } from "./query.ts";
import { createRecords } from "./records.ts";

/** ms between flushes that nobody asked for. */
const flushEveryMs = 15_000;
/** Queries at once; each may use two threads and its own memory. */
const maxQueries = 2;
const countBySource = "SELECT model, digest, source, count(*) FROM predictions GROUP BY ALL";
const countRow = z.tuple([z.string(), z.string().nullable(), z.string(), z.int()]);

/**
 * Opens (or creates) the lake in a folder.
 * `close` stores what was taken, ends the threads and resolves; what was not moved to Parquet waits in the inbox.
 * @throws VedetteError storage_failed where the folder cannot be used.
 */
export async function openLake(options: {
  folder: string;
  clock: Clock;
  logger: Logger;
  deviceKeys: DeviceKeys;
  queryLimits?: QueryLimits;
}): Promise<{ lake: Lake; ingestion: Ingestion; records: Records; labels: Labels; close(): Promise<void> }> {
  const { clock, logger, deviceKeys, queryLimits = defaultQueryLimits } = options;
  const folder = join(options.folder, "files");
  const inboxPath = join(options.folder, "inbox.sqlite");
  await mkdir(folder, { recursive: true });
  const inbox = startThread<InboxCalls>(new URL("../monitoring/inbox-worker.ts", import.meta.url), { path: inboxPath });
  const files = startThread<LakeCalls>(new URL("./lake-worker.ts", import.meta.url), { inboxPath, folder });
  // Both create the tables where there are none; asked one after the other, neither waits for the other's lock.
  await inbox.call("stored", { agent: "", streams: [], received: clock.now() });
  const orphans = await files.call("sweep", undefined as never);
  if (orphans.length > 0) logger.info("lake.swept", { files: orphans.length });
  const ingestion = createIngestion({ thread: inbox, clock, logger, deviceKeys });

  let queries = 0;
  /** Files that were merged into others, kept while a query may still read them. */
  let replaced: string[] = [];
  const removeReplaced = async () => {
    if (queries > 0) return;
    const paths = replaced;
    replaced = [];
    for (const path of paths) await rm(path, { force: true });
  };

  let flushing: Promise<number> = Promise.resolve(0);
  const flushNow = async () => {
    const batches = await files.call("move", undefined as never);
    // Merging is housekeeping: what fails there is told, and leaves its files as they are.
    const merged = await files.call("merge", { now: clock.now() });
    for (const failed of merged.failed) logger.warn("lake.merge_failed", { ...failed });
    replaced.push(...merged.replaced);
    replaced.push(...(await files.call("erase", { now: clock.now() })));
    try {
      replaced.push(...(await files.call("retain", { now: clock.now() })));
    } catch (error) {
      logger.error("lake.retention_failed", { error: messageOf(error) });
    }
    try {
      await labelling.forgetErased();
    } catch (error) {
      logger.error("lake.labels_failed", { error: messageOf(error) });
    }
    await removeReplaced();
    return batches;
  };
  const flush = () => {
    // After the flush under way, whose answer it does not share: batches may have come since that one began.
    flushing = flushing.then(flushNow, flushNow);
    return flushing;
  };

  let cancel = () => {};
  let closing: Promise<void> | undefined;
  const flushLater = () => {
    cancel = clock.after(flushEveryMs, () => {
      flush()
        .catch((error: unknown) => logger.error("lake.flush_failed", { error: messageOf(error) }))
        .finally(() => {
          if (!closing) flushLater();
        });
    });
  };
  flushLater();

  const close = () => {
    closing ??= (async () => {
      cancel();
      await ingestion.idle();
      await flushing.catch((error: unknown) => logger.error("lake.flush_failed", { error: messageOf(error) }));
      await Promise.all([inbox.close(), files.close(), labelling.close()]);
    })();
    return closing;
  };

  /** Files that hold rows of a model (of all where none is named) from a batch on, which stay while the work is done. */
  const read = async <T>(
    wanted: { model?: string | undefined; fromBatch?: number },
    work: (paths: readonly string[]) => Promise<T>,
  ): Promise<T> => {
    queries++;
    try {
      const all = await files.call("list", undefined as never);
      const { model, fromBatch = 0 } = wanted;
      const fitting = all.filter(
        (file) => (model === undefined || file.model === model) && file.lastBatch >= fromBatch,
      );
      return await work(fitting.map((file) => join(folder, file.path)));
    } finally {
      queries--;
    }
  };
  const labelling = createLabels({
    inboxPath,
    clock,
    // A full disk must not hide what the lake's files say.
    flush: () => flush().catch((error: unknown) => logger.error("lake.flush_failed", { error: messageOf(error) })),
    read,
    anyErased: async () => (await inbox.call("erasures", undefined as never)).length > 0,
  });
  const ask = async (query: Query) => {
    // A full disk keeps new batches in the inbox, and must not hide those that are in the lake's files already.
    await flush().catch((error: unknown) => logger.error("lake.flush_failed", { error: messageOf(error) }));
    return await read(query, (paths) => runQuery(query, paths, clock, queryLimits));
  };
  const count = async (): Promise<StoredCount[]> => {
    const { rows } = await ask({ sql: countBySource, limit: maxQueryRows });
    return z
      .array(countRow)
      .parse(rows)
      .map(([model, digest, source, stored]) => ({ model, digest, source, rows: stored }));
  };
  /** Many who ask at once share one. */
  let counting: Promise<StoredCount[]> | undefined;

  const lake: Lake = {
    flush,
    counts() {
      counting ??= count().finally(() => {
        counting = undefined;
      });
      return counting;
    },
    async query(query) {
      if (queries >= maxQueries) {
        throw new VedetteError("busy", `${maxQueries} queries run already: ask again when one has ended`);
      }
      return ask(query);
    },
    close,
  };
  const records = createRecords({ inbox, files, clock, flush, ask, read, folder: options.folder });
  return { lake, ingestion, records, labels: labelling.labels, close };
}
