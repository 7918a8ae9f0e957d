/** How long an answer may take where the operator does not say. Apart, so that `--help` need not load onnxruntime. */

/** A device's scheduler, disk or garbage collector pauses for tens of ms; a budget below that turns its pauses to faults. */
export const leastLatencyMs = 250;

/** Twenty times what it took here leaves room for a device twenty times slower. @param measured ms. */
export function defaultLatencyMs(measured: number): number {
  return Math.max(leastLatencyMs, Math.ceil(measured * 20));
}
