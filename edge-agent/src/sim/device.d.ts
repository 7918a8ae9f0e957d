import type { Agent } from "../core/agent.ts";
import type { Crypto, DeviceKey, Storage, TrustClient } from "../core/ports.ts";
import type { Link } from "./link.ts";
import { type LogEntry, type ManualClock, type MemoryDisk } from "./memory-ports.ts";
import { type SimProcess } from "./process.ts";
/** One request and its end. */
export interface Asked {
  readonly model: string;
  readonly x: readonly number[];
  /** Revision that the device followed when it was asked. */
  readonly rev: number;
  /** ms of the world's monotonic time. */
  readonly at: number;
  end:
    | {
        readonly kind: "waiting";
      }
    /** The process died first: nobody heard an answer. */
    | {
        readonly kind: "died";
      }
    | {
        readonly kind: "refused";
        readonly code: string;
        readonly named: boolean;
      }
    | {
        readonly kind: "answered";
        readonly digest: string | null;
        readonly release: number | null;
        readonly answers: readonly {
          id: string;
          source: string;
          value: number | null;
        }[];
      };
}
export interface SimDevice {
  readonly name: string;
  readonly disk: MemoryDisk;
  readonly link: Link;
  /** Of the process that is up. */
  readonly agent: Agent | undefined;
  readonly process: SimProcess | undefined;
  readonly asked: readonly Asked[];
  /** What its processes logged, newest last. */
  readonly log: readonly LogEntry[];
  /** Revisions in the order in which they were seen. */
  readonly revs: readonly number[];
  /** Power failures, and times at which its disk was full: after these, answered rows may be told as missing. */
  readonly harm: {
    powerLosses: number;
    fullDisks: number;
    kills: number;
  };
  /** ms by which its clock is off. */
  wrongBy: number;
  /** Starts a process; another start after a while where that fails, as a service manager does. */
  start(): void;
  /** The process dies; what it appended stays. A new one starts after `restartMs`. */
  kill(restartMs: number): void;
  /** The process dies within its n-th change of the disk from now. */
  killAt(change: number, torn: number, restartMs: number): void;
  powerLoss(
    loss: {
      keep: number;
      undoRemoves: boolean;
      rot: boolean;
    },
    restartMs: number,
  ): void;
  /** Asks for one prediction a value; nothing where no process is up. */
  ask(model: string, x: readonly number[]): void;
  /** Stops the agent in order. Resolves with the timers it leaves. */
  stop(): Promise<number>;
}
export interface SimDeviceOptions {
  readonly name: string;
  readonly site: string;
  readonly world: ManualClock;
  readonly seed: number;
  readonly link: Link;
  readonly crypto: Crypto;
  readonly key: DeviceKey;
  trust(storage: Storage): TrustClient;
  readonly probation: number;
}
export declare function createSimDevice(options: SimDeviceOptions): SimDevice;
