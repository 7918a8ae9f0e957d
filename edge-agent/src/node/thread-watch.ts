/** What a call keeps its own thread busy. `ort-backend.ts` and `ort-worker.ts` measure runs by it, so that they can be compared. */

/**
 * A watch for what a call keeps a thread busy, ms. Not for how long it takes: on a busy device a thread that could run has to
 * wait for a processor, and a quick model would be taken for a slow one. Some kernels count a thread's time in ticks
 * that are longer than a run, so that it may come out as more than passed.
 */
export function startWatch(): () => number {
  const started = performance.now();
  const before = process.threadCpuUsage();
  return () => {
    const { user, system } = process.threadCpuUsage(before);
    return Math.min(performance.now() - started, (user + system) / 1000);
  };
}
