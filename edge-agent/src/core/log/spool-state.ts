/** What a spool knows of itself beside its rows: `state.json`, written all or nothing. */
import { fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { epochId } from "@vedette/protocol/ids";
import { z } from "zod";
import type { Ports } from "../ports.ts";

const spoolState = z.object({
  v: z.literal(1),
  epoch: epochId,
  /** The boot in which the spool was last opened. */
  bootId: z.string(),
  /** Where the spool lies: a copy of it lies elsewhere. */
  place: z.string().optional(),
  /** Closed in order: nothing was handed out after this was written. */
  clean: z.boolean(),
  /** Where numbering stood when this was written. */
  nextN: z.int().min(0),
  /** Numbers that are in no record and no batch, in order; `to` exclusive. */
  unlogged: z
    .array(
      z.object({
        from: z.int().min(0),
        to: z.int().min(0),
        reason: z.string(),
        version: z.object({ digest: z.string().nullable(), release: z.int().nullable() }).nullable(),
      }),
    )
    .default([]),
  /** `logged-<mark>` is there as long as this state, and the records, say all numbers that were handed out. */
  mark: z.int().min(0).optional(),
  /** No number at or above this one has ever been handed out. */
  reservedTo: z.int().min(0),
  /** Number of the next batch, and of the first prediction that is in no batch. */
  nextSeq: z.int().min(0),
  batchedTo: z.int().min(0),
});
export type SpoolState = z.infer<typeof spoolState>;

/** The state of a folder; undefined where there is none, or none that can be read (then it is said in the log). */
export async function readSpoolState(
  folder: string,
  ports: Pick<Ports, "storage" | "log">,
): Promise<SpoolState | undefined> {
  const { storage, log } = ports;
  const bytes = await storage.read(`${folder}/state.json`);
  if (!bytes) return undefined;
  let state: SpoolState;
  try {
    state = spoolState.parse(JSON.parse(fromUtf8(bytes)));
  } catch (error) {
    log.error("spool_state_damaged", {
      folder,
      error,
      next: "a new epoch begins; batches that wait are sent as they are",
    });
    return undefined;
  }
  if (state.place === storage.place || state.place === undefined || storage.place === undefined) return state;
  // Two devices would go on from the same number.
  log.warn("spool_copied", {
    folder,
    epoch: state.epoch,
    next: "a new epoch begins; batches that wait are sent as they are",
  });
  return undefined;
}

export async function writeSpoolState(folder: string, storage: Ports["storage"], state: SpoolState): Promise<void> {
  await storage.write(`${folder}/state.json`, utf8(JSON.stringify(state)));
}
