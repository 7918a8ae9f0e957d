/** The room's one door: intake, rounds, description and events, composed over one set of references. */
import type { DriftNews } from "@vedette/protocol/drift-api";
import { messageOf } from "@vedette/protocol/errors";
import type { Kernels } from "@vedette/wasm-kernels";
import type { Database } from "../../db/database.ts";
import type { BlobStore, Clock, Logger } from "../../ports.ts";
import { type DriftDescription, describeDrift } from "./describe-drift.ts";
import { createDriftRounds } from "./run-rounds.ts";
import { createDriftIntake, type DriftIntake } from "./take-window.ts";
import { createWatchedVersions } from "./watched-versions.ts";

export interface Drift extends DriftIntake, Omit<DriftDescription, "event"> {
  /** Merges what came since the last round, and judges it. Idempotent; a reconciler's work. */
  round(): Promise<void>;
  /** Removes windows past their time that prove nothing. A reconciler's work. */
  prune(): Promise<void>;
  /** Calls for each event that opens, is raised again or closes, once it is written down. */
  onEvent(call: (news: DriftNews) => Promise<void> | void): void;
}

/**
 * What is kept for those who look back, and cited by no event: windows and rounds of 35 days, and of a busy device the
 * newest windows, so that no device fills the disk.
 */
const keptMs = 35 * 86_400_000;
const keptWindows = 500;
const keptRounds = 10_000;

export function openDrift(ports: {
  db: Database;
  blobs: Pick<BlobStore, "get">;
  kernels: Pick<Kernels, "abi" | "openReference">;
  clock: Clock;
  logger: Logger;
}): Drift {
  const { db, clock, logger } = ports;
  const versions = createWatchedVersions(ports);
  const listeners: ((news: DriftNews) => Promise<void> | void)[] = [];
  const description = describeDrift({ db, versions, clock });

  return {
    ...createDriftIntake({ db, versions, clock, logger }),
    state: description.state,
    windows: description.windows,
    fleet: description.fleet,
    round: createDriftRounds({
      db,
      versions,
      clock,
      logger,
      async tell({ kind, id }) {
        const record = await db.drift.findEvent(id);
        const event = record && (await description.event(record));
        if (!event) return;
        const { model, version, scope, verdict, features } = event;
        logger.warn(`drift.event_${kind}`, { id, model, version, scope, verdict, top: features[0]?.name ?? null });
        for (const call of listeners) {
          try {
            await call({ kind, event });
          } catch (error) {
            logger.error("drift.listener_failed", { id, why: messageOf(error) });
          }
        }
      },
    }),
    async prune() {
      const windows = await db.drift.prune({
        at: clock.now(),
        before: clock.now() - keptMs,
        windows: keptWindows,
        rounds: keptRounds,
      });
      if (windows > 0) logger.info("drift.pruned", { windows });
    },
    onEvent: (call) => void listeners.push(call),
  };
}
