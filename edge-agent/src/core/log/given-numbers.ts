/**
 * Which numbers of a spool were handed out. They are reserved on the disk in blocks, given one after the other, and where a
 * row cannot be written its number is noted as missing before it is answered. prediction-log asks; this writes `state.json`
 * and the mark.
 *
 * So that a killed process gives no number twice, the state must say so first; where not even that can be written, the file
 * that the state names as its mark is removed, which a full disk allows. Beside the mark lie files for further blocks, each
 * larger than the one before, and one of them is removed before the first number of its block is given: what is gone says how
 * far numbers may have gone.
 */
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Ports } from "../ports.ts";
import type { WaitingBatch } from "./batch-queue.ts";
import type { BatchWriter, Unlogged } from "./batch-writer.ts";
import type { LoggedVersion } from "./logged-rows.ts";
import { type SpoolState, writeSpoolState } from "./spool-state.ts";

export interface GivenNumbers {
  /** Numbers that were handed out and are in no record, in order. */
  readonly unlogged: readonly Unlogged[];
  /** Once what a dead process left is in batches: says what it lost, and reserves the first block. @throws VedetteError storage_failed. */
  start(): Promise<void>;
  /** Null where `count` numbers can be given now; else resolves when they can. @throws VedetteError storage_failed. */
  room(count: number): Promise<void> | null;
  /** Gives the next `count` numbers and returns the first. @throws VedetteError busy where `room` was not waited for. */
  reserve(count: number): number;
  /**
   * Makes sure that a killed process will know these numbers for used. Resolves when they may be answered.
   * @throws VedetteError storage_failed.
   */
  giveUnlogged(firstN: number, count: number, version: LoggedVersion): Promise<void>;
  /** Notes numbers whose request is refused. */
  noteUnanswered(firstN: number, count: number, version: LoggedVersion): void;
  /** Before batches are deleted, the state must say that their numbers were used. @throws VedetteError storage_failed. */
  prove(going: readonly WaitingBatch[]): Promise<void>;
  /** Forgets what is accounted for; once that is all, the disk takes rows again. @throws VedetteError storage_failed. */
  healed(): Promise<void>;
  /** Says that nothing will be lost: all that was given is in batches. @throws VedetteError storage_failed. */
  close(): Promise<void>;
}

const maxDoublings = 4;
/** Blocks that may be given while nothing can be written, each so many times as long as the one before. */
const blocks = 12;
const blockGrowth = 4;

const shortOf = ({ digest, release }: LoggedVersion): Unlogged["version"] => ({ digest, release });

/**
 * @param options.before the state that the spool was left in.
 * @param options.onUnmarked the disk takes nothing any more: it should be tried again in a while.
 */
export async function openGivenNumbers(options: {
  stream: string;
  folder: string;
  epoch: string;
  ports: Pick<Ports, "storage" | "log">;
  before: SpoolState | undefined;
  written: Pick<BatchWriter, "nextSeq" | "batchedTo">;
  reserveAhead: number;
  onUnmarked: () => void;
}): Promise<GivenNumbers> {
  const { stream, folder, epoch, before, written, reserveAhead } = options;
  const { storage, log } = options.ports;
  const markerOf = (mark: number): string => `${folder}/logged-${mark}`;
  const blockOf = (mark: number, block: number): string => `${markerOf(mark)}-${block}`;
  /** Numbers below this may have been given once `gone` blocks are. */
  const boundOf = (reservedTo: number, gone: number): number =>
    reservedTo + (reserveAhead * (blockGrowth ** gone - 1)) / (blockGrowth - 1);

  const names = await storage.list(folder);
  const marks = names.filter((name) => /^logged-\d{1,15}$/.test(name)).map((name) => Number(name.slice(7)));
  /** Blocks of the former state's mark that are gone. */
  const goneOf = (mark: number): number => {
    let gone = blocks;
    while (gone > 0 && names.includes(`logged-${mark}-${gone}`)) gone--;
    return gone;
  };
  const unmarked = before?.mark !== undefined && !marks.includes(before.mark);
  /** In force: the one that a state on the disk names, or is about to. */
  let mark = before?.mark ?? 0;
  let newest = Math.max(mark, ...marks);
  let marked = true;
  let unlogged: Unlogged[] = (before?.unlogged ?? []).filter(({ to }) => to > written.batchedTo);
  /** Of the mark in force, blocks that are gone. */
  let gone = before?.mark === undefined ? 0 : goneOf(before.mark);
  if (before && unmarked) explain(boundOf(before.reservedTo, gone), "disk_full");
  let nextN = 0;
  let ahead = reserveAhead;
  let durable: SpoolState = before ?? stateNow(0, false);
  let writing: Promise<void> = Promise.resolve();
  let saving: Promise<void> | undefined;
  let reserving: Promise<void> | undefined;
  let taking: Promise<void> | undefined;
  let unloggedSaid = false;

  function explain(to: number, reason: string): void {
    const from = Math.max(written.batchedTo, unlogged.at(-1)?.to ?? 0);
    if (to > from) unlogged.push({ from, to, reason, version: null });
  }

  function stateNow(reservedTo: number, clean: boolean): SpoolState {
    const { nextSeq, batchedTo } = written;
    const place = storage.place === undefined ? {} : { place: storage.place };
    const untold = unlogged.map(({ from, to, reason, version }) => ({ from, to, reason, version }));
    return {
      v: 1,
      epoch,
      bootId: storage.bootId,
      ...place,
      clean,
      nextN,
      unlogged: untold,
      mark,
      reservedTo,
      nextSeq,
      batchedTo,
    };
  }

  /** One state write at a time, each with what is true when it begins. */
  function writeState(reservedTo: () => number, clean = false): Promise<void> {
    const write = writing.then(async () => {
      const state = stateNow(Math.max(durable.reservedTo, reservedTo(), nextN), clean);
      await writeSpoolState(folder, storage, state);
      durable = state;
    });
    writing = write.catch(() => undefined);
    return write;
  }
  /** One write for all that ask before it begins. */
  function saveSoon(): Promise<void> {
    saving ??= writing.then(() => {
      saving = undefined;
      return writeState(() => durable.reservedTo);
    });
    return saving;
  }
  function reserveMore(count: number): Promise<void> {
    reserving ??= writeState(() => nextN + count + ahead).finally(() => {
      reserving = undefined;
    });
    return reserving;
  }

  /** @throws VedetteError storage_failed; then it is as it was. */
  async function unmark(): Promise<void> {
    await storage.remove(markerOf(mark));
    // Numbers may follow that no state knows, which a power failure must not make free again.
    await storage.settle(folder);
    marked = false;
  }
  /** Numbers below this may be given now. */
  const bound = (): number => boundOf(durable.reservedTo, marked ? 0 : gone);
  /** Takes the next block while nothing can be written; once for all that ask. @throws VedetteError storage_failed. */
  function takeBlock(): Promise<void> {
    taking ??= (async () => {
      if (gone === blocks) {
        throw new VedetteError("storage_failed", `the log of ${stream} has no numbers left on a full disk: make room`);
      }
      await storage.remove(blockOf(mark, gone + 1));
      await storage.settle(folder);
      gone++;
    })().finally(() => {
      taking = undefined;
    });
    return taking;
  }
  /** The new mark is there before the state that names it: a kill between leaves the former state with its own. */
  async function markAnew(reservedTo: () => number): Promise<void> {
    const next = ++newest;
    for (let block = 1; block <= blocks; block++) await (await storage.append(blockOf(next, block))).close();
    await storage.write(markerOf(next), new Uint8Array(1));
    const former = { mark, marked, gone };
    mark = next;
    marked = true;
    gone = 0;
    try {
      await writeState(reservedTo);
    } catch (error) {
      // No state names it: what is given from now on must show in the files of the one that the disk knows.
      if (durable.mark !== next) ({ mark, marked, gone } = former);
      throw error;
    }
    await removeMark(former.mark);
  }
  async function removeMark(former: number): Promise<void> {
    await storage.remove(markerOf(former));
    for (let block = 1; block <= blocks; block++) await storage.remove(blockOf(former, block));
  }

  return {
    get unlogged() {
      return unlogged;
    },
    async start() {
      unlogged = unlogged.filter(({ to }) => to > written.batchedTo);
      if (before && !before.clean && before.bootId !== storage.bootId) explain(before.reservedTo, "power_loss");
      nextN = Math.max(written.batchedTo, before?.nextN ?? 0, unlogged.at(-1)?.to ?? 0);
      if (unlogged.length > 0) {
        const by = unlogged.map(({ reason }) => reason).join(", ");
        log.warn("predictions_lost", { stream, from: written.batchedTo, to: nextN - 1, by });
      }
      try {
        await markAnew(() => nextN + ahead);
        for (const old of marks) await removeMark(old);
      } catch (error) {
        // On a full disk a device that has numbers to give starts all the same.
        if (!before || unmarked) throw error;
        log.error("spool_state_not_written", {
          stream,
          error: messageOf(error),
          next: "answers are given and counted",
        });
        await unmark();
      }
    },
    room(count) {
      if (nextN + count <= bound()) return null;
      if (marked) ahead = Math.min(2 * ahead, reserveAhead * 2 ** maxDoublings);
      return (async () => {
        while (nextN + count > bound()) {
          if (!marked) await takeBlock();
          else {
            try {
              await reserveMore(count);
            } catch (error) {
              log.error("numbers_not_reserved", { stream, error: messageOf(error), next: "answers go on" });
              await unmark();
              options.onUnmarked();
            }
          }
        }
      })();
    },
    reserve(count) {
      if (nextN + count > bound()) {
        throw new VedetteError("busy", `the log of ${stream} has no ${count} numbers reserved: wait for room first`);
      }
      const first = nextN;
      nextN += count;
      if (marked && durable.reservedTo - nextN < ahead / 2 && !reserving) {
        reserveMore(0).catch((error: unknown) =>
          log.error("numbers_not_reserved", { stream, error: messageOf(error) }),
        );
      }
      return first;
    },
    async giveUnlogged(firstN, count, version) {
      const reason = "disk_full";
      const last = unlogged.at(-1);
      if (last?.to === firstN && last.reason === reason && last.version?.digest === version.digest) {
        unlogged[unlogged.length - 1] = { ...last, to: firstN + count };
      } else unlogged.push({ from: firstN, to: firstN + count, reason, version: shortOf(version) });
      if (!unloggedSaid)
        log.error("predictions_not_logged", { stream, from: firstN, next: "answers go on; they are counted" });
      unloggedSaid = true;
      if (!marked) return;
      try {
        await saveSoon();
      } catch (error) {
        log.warn("spool_state_not_written", { stream, error: messageOf(error) });
        await unmark();
      }
    },
    noteUnanswered(firstN, count, version) {
      unlogged.push({ from: firstN, to: firstN + count, reason: "unanswered", version: shortOf(version) });
    },
    async prove(going) {
      const last = Math.max(-1, ...going.filter((batch) => batch.epoch === epoch).map(({ through }) => through));
      if (durable.nextSeq <= last) await writeState(() => durable.reservedTo);
    },
    async healed() {
      unlogged = unlogged.filter(({ to }) => to > written.batchedTo);
      if (unlogged.length > 0) return;
      unloggedSaid = false;
      if (marked) return;
      await markAnew(() => nextN + ahead);
    },
    close: () => writeState(() => nextN, true),
  };
}
