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
export function startProcess(world: ManualClock, wrongBy: () => number): SimProcess {
  const cancels = new Set<() => void>();
  let alive = true;
  const clock: Clock = {
    now: () => Math.floor(world.now() + wrongBy()),
    monotonic: world.monotonic,
    after(ms, call) {
      if (!alive) return () => {};
      const cancel = world.after(ms, () => {
        cancels.delete(forget);
        call();
      });
      const forget = () => {
        cancels.delete(forget);
        cancel();
      };
      cancels.add(forget);
      return forget;
    },
  };
  return {
    clock,
    get alive() {
      return alive;
    },
    get waiting() {
      return cancels.size;
    },
    end() {
      alive = false;
      for (const cancel of cancels) cancel();
    },
  };
}

/**
 * A storage that takes its time, so that a kill, a message or a second write can come in between. What is appended is
 * at once, as handing bytes to a system is. @param longestMs of one call.
 */
export function slowStorage(storage: Storage, clock: Clock, random: Random, longestMs: number): Storage {
  const pause = (): Promise<void> | undefined => {
    // Most calls find a warm cache.
    if (random.unit() < 0.7) return undefined;
    return new Promise((resolve) => void clock.after(longestMs * random.unit(), resolve));
  };
  const slowly =
    <A extends unknown[], R>(call: (...given: A) => Promise<R>) =>
    async (...given: A): Promise<R> => {
      await pause();
      const result = await call(...given);
      await pause();
      return result;
    };
  return {
    bootId: storage.bootId,
    place: storage.place,
    read: slowly((path) => storage.read(path)),
    // What is written is what it was when the call came.
    write: (path, bytes) => slowly((copy: Uint8Array) => storage.write(path, copy))(bytes.slice()),
    list: slowly((folder) => storage.list(folder)),
    remove: slowly((path) => storage.remove(path)),
    settle: slowly((folder) => storage.settle(folder)),
    append: slowly(async (path) => {
      const file = await storage.append(path);
      return {
        append: (bytes) => file.append(bytes),
        sync: slowly(() => file.sync()),
        close: slowly(() => file.close()),
      };
    }),
  };
}
