/**
 * A thread of `proof-process.ts`: onnxruntime may hold every other one. Ends the process when it has grown over its limit,
 * or when the agent that wanted the proof is gone.
 */
import { writeSync } from "node:fs";
import { parentPort, workerData } from "node:worker_threads";

const everyMs = 10;

interface Watch {
  readonly parent: number;
  readonly limitBytes: number;
  /** Written here: the most that the process grew by, bytes. */
  readonly grew: Float64Array;
  /** First word of what is said of a process that grew too much. */
  readonly overMemory: string;
}
const { parent, limitBytes, grew, overMemory } = workerData as Watch;
const stderr = 2;
const before = process.memoryUsage.rss();

function look(): void {
  const grewBy = process.memoryUsage.rss() - before;
  grew[0] = Math.max(grew[0] ?? 0, grewBy);
  if (grewBy > limitBytes) {
    writeSync(stderr, `${overMemory} ${grewBy} \n`);
    process.kill(process.pid, "SIGKILL");
  }
  if (process.ppid !== parent) process.kill(process.pid, "SIGKILL");
}

setInterval(look, everyMs).unref();
parentPort?.on("message", () => {
  look();
  parentPort?.postMessage("looked");
});
parentPort?.postMessage("watching");
