/** What dies with a simulated process: its timers. The world's time goes on, and its next process begins with none. */
import type { Clock, Random, Storage } from "../core/ports.ts";
import type { ManualClock } from "./memory-ports.ts";
export interface SimProcess {
  readonly clock: Clock;
  readonly alive: boolean;
  /** Timers that wait. */
  readonly waiting: number;
  /** No timer of it is called any more. */
  end(): void;
}
/** @param wrongBy ms by which the device's wall clock is off. */
export declare function startProcess(world: ManualClock, wrongBy: () => number): SimProcess;
/**
 * A storage that takes its time, so that a kill, a message or a second write can come in between. What is appended is
 * at once, as handing bytes to a system is. @param longestMs of one call.
 */
export declare function slowStorage(storage: Storage, clock: Clock, random: Random, longestMs: number): Storage;
