/**
 * Takes a window that a device sent: checks it against the version's reference, stores it once, and answers what the device
 * is to know. Talks to the database and the kernels; `run-rounds.ts` merges what is stored.
 */
import { fromBase64 } from "@vedette/protocol/bytes";
import type { DriftAck, DriftWindowMessage } from "@vedette/protocol/drift";
import { codeOf, messageOf, VedetteError } from "@vedette/protocol/errors";
import { KernelError } from "@vedette/wasm-kernels";
import { type BinCounts, readSnapshotCounts } from "@vedette/wasm-kernels/histograms";
import type { Database } from "../../db/database.ts";
import type { Clock, Logger } from "../../ports.ts";
import type { WatchedVersions } from "./watched-versions.ts";

export interface DriftIntake {
  /** Stores a window, or refuses it for good. Throws where another try may go better; the device then tries again. */
  take(agent: string, message: DriftWindowMessage): Promise<DriftAck>;
}

/** Windows of one device that may wait for a round: an honest one holds 16 for each version. */
const mostWaiting = 64;
const forGood: readonly string[] = [
  "not_found",
  "unsupported",
  "snapshot-malformed",
  "abi-mismatch",
  "reference-mismatch",
];

export function createDriftIntake(ports: {
  db: Database;
  versions: WatchedVersions;
  clock: Clock;
  logger: Logger;
}): DriftIntake {
  const { db, versions, clock, logger } = ports;

  /** Why a window is none of this version's; null where it is one. */
  async function wrong(
    { model, digest, abi, window }: DriftWindowMessage,
    snapshot: Uint8Array,
  ): Promise<string | null> {
    try {
      const watched = await versions.find(digest);
      if (watched.model !== model) return `version ${digest} is one of ${watched.model}, and not of ${model}`;
      if (watched.abi !== abi) return `the window is of kernel abi ${abi}, and this control plane's is ${watched.abi}`;
      const state = watched.reference.newState();
      try {
        state.merge(snapshot);
        if (state.n !== window.rows) return `the snapshot holds ${state.n} rows, and says ${window.rows}`;
        // The cap on a device is one of rows: counts beyond them would pass by it.
        const counts = readSnapshotCounts(snapshot, watched.reference.names.length);
        return counts.some((feature) => valuesOf(feature) > window.rows)
          ? `the snapshot counts more values than its ${window.rows} rows have`
          : null;
      } finally {
        state.free();
      }
    } catch (error) {
      // What the bytes are, or which version it is, does not change with another try.
      const code = error instanceof KernelError ? error.code : codeOf(error);
      if (forGood.includes(code)) return messageOf(error);
      throw error;
    }
  }

  return {
    async take(agent, message) {
      const { model, digest, window, verdict, top, logE } = message;
      const { epoch, n, from, to, rows } = window;
      const snapshot = fromBase64(message.snapshot);
      const refused = await wrong(message, snapshot);
      if (refused !== null) {
        logger.warn("drift.window_refused", { agent, model, digest, n, why: refused });
        return { digest, epoch, n, refused: refused.slice(0, 500) };
      }
      if ((await db.drift.waitingOf(agent)) >= mostWaiting) {
        throw new VedetteError(
          "busy",
          `${mostWaiting} windows of ${agent} wait to be merged: it sends the next one later`,
        );
      }
      const isNew = await db.drift.add({
        agent,
        model,
        digest,
        epoch,
        n,
        fromAt: from,
        toAt: to,
        rows,
        snapshot: Buffer.from(snapshot),
        verdict,
        top,
        logE,
        receivedAt: clock.now(),
      });
      logger.debug("drift.window", { agent, model, n, rows, isNew });
      return { digest, epoch, n };
    },
  };
}

function valuesOf({ bins, missing }: BinCounts): number {
  return bins.reduce((sum, count) => sum + count, missing);
}
