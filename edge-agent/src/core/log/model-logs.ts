/**
 * The logs of one model on this device, each with what sends it: one of the version in place, and, where requests are split
 * between two versions, one of the second. They are one stream with an epoch each, since a batch is of one version and numbers
 * of a batch have no holes: two versions that answer in turn would make a batch of every few rows.
 */
import type { Ack } from "@vedette/protocol/messages";
import type { BatchSender } from "./batch-sender.ts";
import type { PredictionLog } from "./prediction-log.ts";

export interface SentLog {
  readonly folder: string;
  readonly log: PredictionLog;
  readonly sender: BatchSender;
}

export interface ModelLogs {
  /** Of the version in place. */
  readonly first: SentLog;
  readonly all: readonly SentLog[];
  /** Opens it where it is not yet. @throws VedetteError storage_failed. */
  second(): Promise<SentLog>;
  connected(): void;
  disconnected(): void;
  acked(ack: Ack): void;
  stored(upTo: number, epoch: string): void;
}

const secondFolder = (model: string): string => `spool/${model}/second`;

/**
 * @param open of a folder of this model's.
 * @param listed what a folder holds: a second log that was left there has rows to send.
 * @throws VedetteError storage_failed.
 */
export async function openModelLogs(
  model: string,
  open: (folder: string) => Promise<SentLog>,
  listed: (folder: string) => Promise<readonly string[]>,
): Promise<ModelLogs> {
  const first = await open(`spool/${model}`);
  const all = [first];
  let online = false;
  let opening: Promise<SentLog> | undefined;
  const openSecond = async (): Promise<SentLog> => {
    const opened = await open(secondFolder(model));
    all.push(opened);
    if (online) opened.sender.connected();
    return opened;
  };
  const second = (): Promise<SentLog> => {
    opening ??= openSecond().catch((error: unknown) => {
      opening = undefined;
      throw error;
    });
    return opening;
  };
  if ((await listed(secondFolder(model))).length > 0) await second();
  const each = (call: (sender: BatchSender) => void) => {
    for (const { sender } of all) call(sender);
  };
  return {
    first,
    all,
    second,
    connected() {
      online = true;
      each((sender) => sender.connected());
    },
    disconnected() {
      online = false;
      each((sender) => sender.disconnected());
    },
    acked(ack) {
      // A pause is meant for both; the rest names its epoch.
      each((sender) => sender.acked(ack));
    },
    stored: (upTo, epoch) => each((sender) => sender.stored(upTo, epoch)),
  };
}
