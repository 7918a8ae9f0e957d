/**
 * Ports that live in memory and repeat exactly: a clock that a test moves, seeded randomness, a disk that can be killed
 * and lose its power, a log that is a list. Tests of core/ and the simulated fleet run the real decisions on them.
 */
import { concatBytes, toHex } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import type { AppendFile, Clock, Compressor, Logger, Random, Storage } from "../core/ports.ts";
import { createTimers } from "./timers.ts";

export interface ManualClock extends Clock {
  /** Moves time on and calls what falls due, in order of time; resolves when what they started in memory is done. */
  advance(ms: number): Promise<void>;
  /** Puts the wall clock elsewhere, as a bad clock does; monotonic time and timers do not notice. */
  setWall(utcMs: number): void;
  /** Timers that wait. */
  readonly waiting: number;
}

/** Starts at `wall` UTC ms and monotonic 0. */
export function createManualClock(wall = Date.UTC(2026, 0, 1)): ManualClock {
  let monotonic = 0;
  let offset = wall;
  const timers = createTimers();
  let waiting = 0;
  return {
    now: () => monotonic + offset,
    monotonic: () => monotonic,
    after(ms, call) {
      const timer = { at: monotonic + Math.max(0, ms), call, waits: true };
      timers.add(timer);
      waiting++;
      return () => {
        if (timer.waits) waiting--;
        timer.waits = false;
      };
    },
    async advance(ms) {
      const end = monotonic + ms;
      await settle();
      for (let next = timers.next(); next && (next.at <= end || !next.waits); next = timers.next()) {
        timers.remove();
        if (!next.waits) continue;
        next.waits = false;
        waiting--;
        monotonic = Math.max(monotonic, next.at);
        next.call();
        await settle();
      }
      monotonic = end;
    },
    setWall(utcMs) {
      offset = utcMs - monotonic;
    },
    get waiting() {
      return waiting;
    },
  };
}

/** Resolves when every promise that can move without a timer or real I/O has moved. */
export function settle(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** The same numbers for the same seed (mulberry32). */
export function createSeededRandom(seed: number): Random {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), state | 1);
    mixed ^= mixed + Math.imul(mixed ^ (mixed >>> 7), mixed | 61);
    return (mixed ^ (mixed >>> 14)) >>> 0;
  };
  return {
    unit: () => next() / 2 ** 32,
    bytes(length) {
      const out = new Uint8Array(length);
      for (let i = 0; i < length; i++) out[i] = next() >>> 24;
      return out;
    },
  };
}

export interface MemoryDisk {
  /** The view of a newly started process. The view before it is dead, as after `kill`. */
  start(): Storage;
  /** The process dies: its later calls fail and change nothing; all it appended stays. */
  kill(): void;
  /**
   * The process dies at its n-th change from now (0 = the next). An append that is interrupted leaves `torn` of its
   * bytes, 0 none to 1 all; a write is all or nothing: done where `torn` is 1.
   */
  killAt(change: number, torn: number): void;
  /**
   * The machine loses power and boots anew: what was appended since the last sync is cut to `keep` (0 to 1) of itself,
   * and with `undoRemoves` files that were removed since their folder was last synced are back, and `rot`
   * changes bytes of the unsynced rest that was kept, as blocks do that were allotted and never written.
   */
  powerLoss(loss?: { keep?: number; undoRemoves?: boolean; rot?: (tail: Uint8Array) => void }): void;
  /** The next `count` appends fail half done, as on a full disk; the process lives on. */
  failAppends(count: number): void;
  /** From now on (or no longer) nothing that needs room is done: whole writes fail, appends stop half way. */
  full: boolean;
  /** Calls when the process dies at a change (`killAt`), before its caller hears of it. */
  onDeath: (() => void) | undefined;
  /** The next `count` writes fail and change nothing, as on a full disk. */
  failWrites(count: number): void;
  /** Changes (write, remove, append, sync, close) so far. */
  readonly changes: number;
  /** Every path, sorted. */
  paths(): string[];
  peek(path: string): Uint8Array<ArrayBuffer> | undefined;
  /** Puts bytes there as if they had always been: for tests of damage. */
  poke(path: string, bytes: Uint8Array): void;
}

interface MemoryFile {
  bytes: Uint8Array<ArrayBuffer>;
  /** How much of it would outlive a power failure; undefined: not even its name. */
  synced: number | undefined;
}

export function createMemoryDisk(): MemoryDisk {
  const files = new Map<string, MemoryFile>();
  const removed = new Map<string, MemoryFile>();
  let boots = 1;
  let alive = {};
  let changes = 0;
  let failing = 0;
  let failingWrites = 0;
  let death: { at: number; torn: number } | undefined;
  const full = (): VedetteError => new VedetteError("storage_failed", "the disk is full");

  const dead = (): VedetteError => new VedetteError("storage_failed", "the process was killed");
  const check = (process: object): void => {
    if (process !== alive) throw dead();
  };
  /** Counts a change; where death comes at it, answers how much of it is still done. */
  const change = (process: object): number | undefined => {
    check(process);
    changes++;
    if (!death || changes <= death.at) return undefined;
    const { torn } = death;
    death = undefined;
    alive = {};
    disk.onDeath?.();
    return torn;
  };
  /** A change that happens wholly or not at all. */
  const whole = (process: object, apply: () => void): void => {
    const torn = change(process);
    if (torn === undefined || torn === 1) apply();
    if (torn !== undefined) throw dead();
  };
  /** A synced folder keeps its names, and what was removed stays so; the bytes of its files are another matter. */
  const settleFolder = (folder: string): void => {
    for (const path of removed.keys()) if (folderOf(path) === folder) removed.delete(path);
    for (const [path, file] of files) if (file.synced === undefined && folderOf(path) === folder) file.synced = 0;
  };

  const disk: MemoryDisk = {
    full: false,
    onDeath: undefined,
    start() {
      const process = {};
      alive = process;
      const bootId = toHex(new Uint8Array([boots >> 8, boots]));
      return {
        bootId,
        async read(path) {
          check(process);
          return files.get(path)?.bytes.slice();
        },
        async write(path, bytes) {
          const copy = bytes.slice();
          await Promise.resolve();
          check(process);
          if (disk.full) throw full();
          if (failingWrites > 0) {
            failingWrites--;
            throw new VedetteError("storage_failed", "the disk is full");
          }
          whole(process, () => {
            files.set(path, { bytes: copy, synced: copy.length });
            settleFolder(folderOf(path));
          });
        },
        async list(folder) {
          check(process);
          return [...files.keys()]
            .filter((path) => folderOf(path) === folder)
            .map((path) => path.slice(folder === "" ? 0 : folder.length + 1))
            .sort();
        },
        async remove(path) {
          whole(process, () => {
            const file = files.get(path);
            if (file?.synced !== undefined) removed.set(path, file);
            files.delete(path);
          });
        },
        async settle(folder) {
          whole(process, () => settleFolder(folder));
        },
        async append(path) {
          check(process);
          if (disk.full && !files.has(path)) throw full();
          const file = files.get(path) ?? { bytes: new Uint8Array(0), synced: undefined };
          files.set(path, file);
          return appendTo(file, path, process);
        },
      };
    },
    kill() {
      alive = {};
    },
    killAt(at, torn) {
      death = { at: changes + at, torn };
    },
    failAppends(count) {
      failing = count;
    },
    failWrites(count) {
      failingWrites = count;
    },
    powerLoss(loss = {}) {
      alive = {};
      boots++;
      for (const [path, file] of files) {
        if (file.synced === undefined) files.delete(path);
        else {
          const tail = Math.floor((file.bytes.length - file.synced) * (loss.keep ?? 0));
          file.bytes = file.bytes.slice(0, file.synced + tail);
          if (tail > 0) loss.rot?.(file.bytes.subarray(file.synced));
          file.synced = file.bytes.length;
        }
      }
      if (loss.undoRemoves) {
        for (const [path, file] of removed) {
          if (!files.has(path)) files.set(path, { ...file, bytes: file.bytes.slice(0, file.synced) });
        }
      }
      removed.clear();
    },
    get changes() {
      return changes;
    },
    paths: () => [...files.keys()].sort(),
    peek: (path) => files.get(path)?.bytes.slice(),
    poke(path, bytes) {
      files.set(path, { bytes: bytes.slice(), synced: bytes.length });
    },
  };
  return disk;

  function appendTo(file: MemoryFile, path: string, process: object): AppendFile {
    return {
      append(bytes) {
        check(process);
        const fails = failing > 0 || disk.full;
        const torn = fails ? 0.5 : change(process);
        if (failing > 0) failing--;
        file.bytes = concatBytes([file.bytes, bytes.subarray(0, Math.floor(bytes.length * (torn ?? 1)))]);
        if (fails) throw full();
        if (torn !== undefined) throw dead();
      },
      async sync() {
        const length = file.bytes.length;
        await Promise.resolve();
        whole(process, () => {
          file.synced = Math.max(file.synced ?? 0, length);
          settleFolder(folderOf(path));
        });
      },
      async close() {
        whole(process, () => {});
      },
    };
  }
}

function folderOf(path: string): string {
  return path.slice(0, Math.max(0, path.lastIndexOf("/")));
}

/** Does not compress. */
export const plainCompressor: Compressor = { kind: "none", compress: async (bytes) => bytes };

export interface LogEntry {
  readonly level: "info" | "warn" | "error";
  readonly event: string;
  readonly fields: Record<string, unknown>;
}
/** A logger that keeps what it is told. */
export function createMemoryLogger(): Logger & { readonly entries: LogEntry[] } {
  const entries: LogEntry[] = [];
  const at =
    (level: LogEntry["level"]) =>
    (event: string, fields: Record<string, unknown> = {}): void =>
      void entries.push({ level, event, fields });
  return { entries, info: at("info"), warn: at("warn"), error: at("error") };
}
