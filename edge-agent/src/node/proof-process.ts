/** The process that `node-prover.ts` starts and may kill: one question, one answer. `proof-watch.ts` sees to its memory. */

import { once } from "node:events";
import { writeFile } from "node:fs/promises";
import { platform } from "node:os";
import { Worker } from "node:worker_threads";
import { codeOf, messageOf } from "@vedette/protocol/errors";
import type { ProofQuestion } from "../core/ports.ts";
import { givenFiles, prove } from "../core/prove/prove.ts";
import { overMemory, type ProofAnswer } from "./node-prover.ts";
import { createOrtBackend } from "./ort-backend.ts";
import { systemClock } from "./system-clock.ts";

process.on("disconnect", () => process.exit(0));
process.once("message", (question: ProofQuestion) => {
  answer(question)
    .catch(
      (error: unknown): ProofAnswer => ({
        error: { code: codeOf(error), message: messageOf(error) },
        grewBytes: 0,
      }),
    )
    .then((said) => process.send?.(said))
    .catch((error: unknown) => {
      process.stderr.write(`${messageOf(error)}\n`);
      process.exit(1);
    });
});

async function answer({ manifest, files }: ProofQuestion): Promise<ProofAnswer> {
  // Where the device runs out of memory all the same, this process goes and not the agent. Some sandboxes forbid the wish.
  if (platform() === "linux") await writeFile("/proc/self/oom_score_adj", "1000").catch(() => undefined);
  /** Peak growth in bytes, written by the watch. */
  const grew = new Float64Array(new SharedArrayBuffer(8));
  const watch = new Worker(new URL("./proof-watch.ts", import.meta.url), {
    workerData: { parent: process.ppid, limitBytes: manifest.limits.memoryBytes, grew, overMemory },
  });
  await once(watch, "message");
  const session = await prove({
    manifest,
    file: givenFiles(manifest, files),
    backend: createOrtBackend({ warn: () => undefined }),
    clock: systemClock,
  });
  watch.postMessage("last look");
  await once(watch, "message");
  await session.release();
  return { grewBytes: grew[0] ?? 0 };
}
