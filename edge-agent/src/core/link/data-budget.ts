/**
 * Counts what a device sends and receives in a day, over restarts, and says whether there is room for more of a model.
 * Only models wait for it: assignments, revocations, reports and prediction logs go on. `fetch-chunks.ts` asks, the
 * session reports.
 */
import { fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { DataUse } from "@vedette/protocol/messages";
import { z } from "zod";
import type { Clock, Logger, Storage, Transport } from "../ports.ts";

const path = "data-use.json";
const useFile = z.object({ v: z.literal(1), since: z.number(), bytes: z.int().min(0) });
const dayMs = 86_400_000;
/** A kill forgets less than this: writing more often would wear flash for nothing. Bytes. */
const unsavedBytes = 256 * 1024;
const saveEveryMs = 60_000;
/** What MQTT adds to a chunk: its header, topic and subscription. Bytes. */
const chunkOverhead = 512;

export interface DataBudget {
  readonly use: DataUse;
  /**
   * Takes room for a chunk that is about to be asked for; the answer gives it back when the chunk came, or did not.
   * @throws VedetteError data_budget: how much was used, and when there is room again.
   */
  take(bytes: number): () => void;
  /** Saves what was counted. Never throws: a count that cannot be saved is logged. */
  close(): Promise<void>;
}

/** @param options.limit bytes a day; null: as many as there are. */
export async function openDataBudget(options: {
  storage: Storage;
  clock: Clock;
  transport: Pick<Transport, "bytes">;
  log: Logger;
  limit: number | null;
}): Promise<DataBudget> {
  const { clock, limit, log, storage, transport } = options;
  let { since, bytes } = await load(options);
  let saved = bytes;
  /** Of this process's connection, at the last look. */
  let seen = 0;
  let reserved = 0;

  const look = () => {
    const { sent, received } = transport.bytes;
    bytes += sent + received - seen;
    seen = sent + received;
    const now = clock.now();
    if (now >= since + dayMs) [since, bytes, saved] = [now, 0, -1];
    // A clock that was set back begins the day anew, and what was used stays used.
    else if (now < since) since = now;
  };
  const save = async () => {
    look();
    if (bytes === saved) return;
    const now = { since, bytes };
    try {
      await storage.write(path, utf8(JSON.stringify({ v: 1, ...now })));
      saved = now.bytes;
    } catch (error) {
      log.warn("data.use_not_saved", { bytes: now.bytes, why: messageOf(error) });
    }
  };
  let saving: Promise<void> = Promise.resolve();
  const saveSoon = () => {
    saving = saving.then(save);
    return saving;
  };
  let cancel = () => {};
  const regular = () => {
    look();
    if (Math.abs(bytes - saved) >= unsavedBytes) void saveSoon();
    cancel = clock.after(saveEveryMs, regular);
  };
  regular();

  return {
    get use() {
      look();
      return { since, bytes, limit, until: since + dayMs };
    },
    take(size) {
      look();
      const wanted = size + chunkOverhead;
      if (limit !== null && bytes + reserved + wanted > limit) {
        const mega = (count: number) => `${(count / 1e6).toFixed(1)} MB`;
        const until = new Date(since + dayMs).toISOString();
        const used = `${mega(bytes)} of ${mega(limit)} a day are used`;
        const why = wanted > limit ? "a chunk alone is over it: raise it" : `the model goes on at ${until}`;
        throw new VedetteError("data_budget", `the data budget of this device is spent (${used}): ${why}`);
      }
      reserved += wanted;
      let given = false;
      return () => {
        if (given) return;
        given = true;
        reserved -= wanted;
        look();
        if (bytes - saved >= unsavedBytes) void saveSoon();
      };
    },
    async close() {
      cancel();
      await saveSoon();
    },
  };
}

/** A count that cannot be read is begun anew: nothing hangs on it but money. */
async function load({
  storage,
  clock,
  log,
}: {
  storage: Storage;
  clock: Clock;
  log: Logger;
}): Promise<{ since: number; bytes: number }> {
  try {
    const bytes = await storage.read(path);
    if (bytes) return useFile.parse(JSON.parse(fromUtf8(bytes)));
  } catch (error) {
    log.warn("data.use_unreadable", { why: messageOf(error) });
  }
  return { since: clock.now(), bytes: 0 };
}
