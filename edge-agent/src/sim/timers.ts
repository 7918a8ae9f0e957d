/** What is due when, in virtual time: a binary heap (Williams, 1964), since a simulated fleet of thousands has tens of thousands. */

interface Timer {
  /** Monotonic ms. */
  readonly at: number;
  readonly call: () => void;
  /** Neither called nor cancelled. */
  waits: boolean;
}

export interface Timers {
  add(timer: Timer): void;
  /** The next one; of those of one moment, the first that was added. */
  next(): Timer | undefined;
  remove(): void;
}

export function createTimers(): Timers {
  const heap: { readonly timer: Timer; readonly n: number }[] = [];
  let added = 0;

  const isBefore = (i: number, j: number): boolean => {
    const [a, b] = [heap[i], heap[j]];
    if (!a || !b) return a !== undefined;
    return a.timer.at === b.timer.at ? a.n < b.n : a.timer.at < b.timer.at;
  };
  const swap = (i: number, j: number): void => {
    const [a, b] = [heap[i], heap[j]];
    if (a && b) [heap[i], heap[j]] = [b, a];
  };

  return {
    add(timer) {
      heap.push({ timer, n: added++ });
      for (let i = heap.length - 1; i > 0; ) {
        const parent = (i - 1) >> 1;
        if (!isBefore(i, parent)) break;
        swap(i, parent);
        i = parent;
      }
    },
    next: () => heap[0]?.timer,
    remove() {
      const last = heap.pop();
      if (!last || heap.length === 0) return;
      heap[0] = last;
      for (let i = 0; ; ) {
        const [left, right] = [2 * i + 1, 2 * i + 2];
        const child = isBefore(right, left) ? right : left;
        if (!isBefore(child, i)) break;
        swap(i, child);
        i = child;
      }
    },
  };
}
