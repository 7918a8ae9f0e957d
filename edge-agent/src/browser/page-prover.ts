/**
 * Port Prover in a page: each proof in a worker of its own (`proof-worker.ts`), ended when it is done or takes too long, with
 * a WebAssembly memory that cannot grow over its limit. The agent's worker answers on meanwhile.
 */
import { type ErrorCode, VedetteError } from "@vedette/protocol/errors";
import type { ProofQuestion, Prover } from "../core/ports.ts";
import proofUrl from "./proof-worker.ts?worker&url";
import { startWorker } from "./start-worker.ts";

/** What the worker is asked. */
export interface ProofTask extends ProofQuestion {
  /** URL of the folder of ONNX Runtime's files. */
  readonly assets: string;
}
export interface ProofAnswer {
  readonly error?: { readonly code: ErrorCode; readonly message: string };
}

/** The longest proof: the runtime is compiled anew for it. */
const baseMs = 60_000;
const budgets = 100;

/** @param assets folder of ONNX Runtime's files. */
export function createPageProver(assets: URL): Prover {
  return {
    async prove(question) {
      const { model, limits } = question.manifest;
      const limitMs = baseMs + budgets * limits.latencyMs;
      const worker = startWorker(new URL(proofUrl, import.meta.url), "vedette-proof");
      let timer: ReturnType<typeof setTimeout> | undefined;
      try {
        const answer = await new Promise<ProofAnswer>((resolve, reject) => {
          worker.onmessage = ({ data }: MessageEvent<ProofAnswer>) => resolve(data);
          worker.onerror = ({ message }) => {
            const why = message || "its script could not be loaded; is `agent/` served whole?";
            reject(new VedetteError("backend_unavailable", `no worker to prove ${model} in: ${why}`));
          };
          timer = setTimeout(() => {
            const why = `did not end within ${limitMs / 1000} s: look for a Loop, or use a smaller model`;
            reject(new VedetteError("proof_failed", `${model}: its proof ${why}`));
          }, limitMs);
          worker.postMessage({ ...question, assets: assets.href } satisfies ProofTask);
        });
        if (answer.error) throw new VedetteError(answer.error.code, answer.error.message);
      } finally {
        clearTimeout(timer);
        worker.terminate();
      }
    },
  };
}
