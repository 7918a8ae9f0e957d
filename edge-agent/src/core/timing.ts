/** Timers: one call some time from now, and work that is tried again until it succeeds. */
import type { Clock, Random } from "./ports.ts";

export interface Timer {
  /** Calls once after `ms`, in place of any earlier wait. */
  in(ms: number): void;
  cancel(): void;
  readonly waiting: boolean;
}

export function createTimer(clock: Clock, call: () => void): Timer {
  let stop: (() => void) | undefined;
  return {
    in(ms) {
      stop?.();
      stop = clock.after(ms, () => {
        stop = undefined;
        call();
      });
    },
    cancel() {
      stop?.();
      stop = undefined;
    },
    get waiting() {
      return stop !== undefined;
    },
  };
}

/** firstMs · 2ⁿ after n failures before this one, capMs at most; half of it at random, so that a fleet does not come at once. */
export function backoffMs(
  failures: number,
  { firstMs, capMs, random }: { readonly firstMs: number; readonly capMs: number; readonly random: Random },
): number {
  return Math.min(capMs, firstMs * 2 ** Math.min(failures, 30)) * (0.5 + 0.5 * random.unit());
}

export interface Retry {
  /** Does the work now; where it is being done, once more afterwards. */
  now(): void;
  /** Does the work in `ms`. */
  in(ms: number): void;
  /** Stops waiting, and forgets the failures so far; work being done is not interrupted, but not tried again. */
  cancel(): void;
  readonly working: boolean;
}

/** Work of which one is done at a time. A failure is tried again after `backoffMs`. */
export function createRetry(options: {
  clock: Clock;
  random: Random;
  firstMs: number;
  capMs: number;
  work: () => Promise<void>;
  failed: (error: unknown, inMs: number) => void;
}): Retry {
  let working = false;
  let again = false;
  let failures = 0;
  /** Rises with each cancel: a failure of what was cancelled is not tried again. */
  let round = 0;
  const later = createTimer(options.clock, () => void run());

  const run = async () => {
    if (working) {
      again = true;
      return;
    }
    working = true;
    later.cancel();
    const mine = round;
    try {
      await options.work();
      if (mine === round) failures = 0;
    } catch (error) {
      if (mine === round) {
        const inMs = backoffMs(failures++, options);
        options.failed(error, inMs);
        later.in(inMs);
      }
    } finally {
      working = false;
    }
    if (again) {
      again = false;
      await run();
    }
  };

  return {
    now: () => void run(),
    in: (ms) => later.in(ms),
    cancel() {
      round++;
      failures = 0;
      again = false;
      later.cancel();
    },
    get working() {
      return working;
    },
  };
}
