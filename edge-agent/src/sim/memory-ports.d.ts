import type { Clock, Compressor, Logger, Random, Storage } from "../core/ports.ts";
export interface ManualClock extends Clock {
  /** Moves time on and calls what falls due, in order of time; resolves when what they started in memory is done. */
  advance(ms: number): Promise<void>;
  /** Puts the wall clock elsewhere, as a bad clock does; monotonic time and timers do not notice. */
  setWall(utcMs: number): void;
  /** Timers that wait. */
  readonly waiting: number;
}
/** Starts at `wall` UTC ms and monotonic 0. */
export declare function createManualClock(wall?: number): ManualClock;
/** Resolves when every promise that can move without a timer or real I/O has moved. */
export declare function settle(): Promise<void>;
/** The same numbers for the same seed (mulberry32). */
export declare function createSeededRandom(seed: number): Random;
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
   * and with `undoRemoves` files that were removed since their folder was last synced are back.
   */
  powerLoss(loss?: { keep?: number; undoRemoves?: boolean }): void;
  /** The next `count` appends fail half done, as on a full disk; the process lives on. */
  failAppends(count: number): void;
  /** From now on (or no longer) nothing that needs room is done: whole writes fail, appends stop half way. */
  full: boolean;
  /** Calls when the process dies at a change (`killAt`), before its caller hears of it. */
  onDeath: (() => void) | undefined;
  /** Changes (write, remove, append, sync, close) so far. */
  readonly changes: number;
  /** Every path, sorted. */
  paths(): string[];
  peek(path: string): Uint8Array<ArrayBuffer> | undefined;
  /** Puts bytes there as if they had always been: for tests of damage. */
  poke(path: string, bytes: Uint8Array): void;
}
export declare function createMemoryDisk(): MemoryDisk;
/** Does not compress. */
export declare const plainCompressor: Compressor;
export interface LogEntry {
  readonly level: "info" | "warn" | "error";
  readonly event: string;
  readonly fields: Record<string, unknown>;
}
/** A logger that keeps what it is told. */
export declare function createMemoryLogger(): Logger & {
  readonly entries: LogEntry[];
};
