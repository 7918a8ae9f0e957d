/**
 * Keeps an external broker's retained chunks to those that are wanted. What is written down comes before what is published:
 * a kill in between leaves a row whose message is published (or taken back) at the next run.
 */
import { messageOf } from "@vedette/protocol/errors";
import type { Clock, Logger, RetainedChunk, RetainedChunks } from "../ports.ts";
import { createSerial } from "../serial.ts";
import type { BlobCache } from "./blob-cache.ts";

/** A device that was assigned something else a moment ago may still be fetching. */
const defaultGraceMs = 24 * 3_600_000;

export interface BlobKeeper {
  /** Publishes what is newly wanted, takes back what was unwanted for the grace period. */
  sync(): Promise<void>;
  /** Publishes again all that is wanted: the broker may have lost it. */
  restore(): Promise<void>;
}

export function createBlobKeeper(options: {
  chunks: RetainedChunks;
  blobs: BlobCache;
  /** Retains bytes under a chunk's topic; empty ones take it back. Resolves when the broker has them. */
  retain(sha256: string, bytes: Buffer): Promise<void>;
  graceMs?: number | undefined;
  clock: Clock;
  logger: Logger;
}): BlobKeeper {
  const { chunks, blobs, retain, graceMs = defaultGraceMs, clock, logger } = options;
  const serial = createSerial();
  /** Chunks that the broker has from this process. */
  let given = new Set<string>();

  const publish = async (sha256: string) => {
    const bytes = await blobs.get(sha256);
    if (!bytes)
      return logger.error("mqtt.blob_missing", { sha256, why: "not in the store: publish its version again" });
    await retain(sha256, bytes);
    given.add(sha256);
  };

  const run = async () => {
    const now = clock.now();
    const wanted = await chunks.wanted();
    const kept = new Map((await chunks.kept()).map((one) => [one.sha256, one]));
    const changed: RetainedChunk[] = [];
    for (const [sha256, refs] of wanted) {
      const row = kept.get(sha256);
      if (row?.refs !== refs || row.unusedSince !== null) changed.push({ sha256, refs, unusedSince: null });
    }
    for (const row of kept.values()) {
      if (!wanted.has(row.sha256) && row.unusedSince === null) changed.push({ ...row, refs: 0, unusedSince: now });
    }
    if (changed.length > 0) await chunks.keep(changed);
    for (const sha256 of wanted.keys()) if (!given.has(sha256)) await publish(sha256);
    for (const { sha256, unusedSince } of kept.values()) {
      if (wanted.has(sha256) || unusedSince === null || now - unusedSince < graceMs) continue;
      await retain(sha256, Buffer.alloc(0));
      given.delete(sha256);
      await chunks.forget(sha256);
    }
  };
  const told = (work: () => Promise<void>) =>
    serial(work).catch((error: unknown) => logger.warn("mqtt.blobs_not_retained", { why: messageOf(error) }));

  return {
    sync: () => told(run),
    restore: () =>
      told(async () => {
        given = new Set();
        await run();
      }),
  };
}
