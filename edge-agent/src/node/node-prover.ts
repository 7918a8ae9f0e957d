/**
 * Port Prover: each proof in a process of its own (`proof-process.ts`), ended when it is done, when it takes too long, or
 * when it takes more memory than the manifest allows. The agent serves on meanwhile, whatever the graph does.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type ErrorCode, messageOf, VedetteError } from "@vedette/protocol/errors";
import type { ProofQuestion, Prover } from "../core/ports.ts";

/** What the process answers, once. */
export interface ProofAnswer {
  readonly error?: { readonly code: ErrorCode; readonly message: string };
  /** Most that the process grew by, bytes. */
  readonly grewBytes: number;
}
/** What the process prints before it ends itself for taking too much. */
export const overMemory = "vedette-proof-over-memory";

const entry = fileURLToPath(new URL("./proof-process.ts", import.meta.url));
/** The longest proof: start of a process, load, golden vectors, a few timed runs. A device under load is slow. */
const baseMs = 30_000;
const budgets = 100;
/** Whoever sends these ends the agent too, as Ctrl-C does: nothing is said of the version. */
const passingSignals: readonly (string | null)[] = ["SIGINT", "SIGTERM", "SIGHUP"];

/** @param options.limitMs of one proof; by default 30 s and a hundred latency budgets. */
export function createNodeProver(options: { readonly limitMs?: number } = {}): Prover {
  return {
    async prove(question) {
      const limitMs = options.limitMs ?? baseMs + budgets * question.manifest.limits.latencyMs;
      const child = fork(entry, {
        serialization: "advanced",
        execArgv: [],
        stdio: ["ignore", "ignore", "pipe", "ipc"],
      });
      try {
        const { error } = await answerOf(child, question, limitMs);
        if (error) throw new VedetteError(error.code, error.message);
      } finally {
        child.kill("SIGKILL"); // it keeps nothing
      }
    },
  };
}

function answerOf(child: ChildProcess, question: ProofQuestion, limitMs: number): Promise<ProofAnswer> {
  const { model, limits } = question.manifest;
  const failed = (why: string) => new VedetteError("proof_failed", `${model}: its proof ${why}`);
  return new Promise((resolve, reject) => {
    let said = "";
    child.stderr?.on("data", (text) => {
      said = `${said}${text}`.slice(-2_000);
    });
    const timer = setTimeout(
      () => reject(failed(`did not end within ${limitMs / 1000} s: look for a Loop, or use a smaller model`)),
      limitMs,
    );
    const unavailable = (cause: Error) => {
      const why = `no process to prove ${model} in: ${messageOf(cause)}`;
      reject(new VedetteError("backend_unavailable", why, { cause }));
    };
    child.on("message", resolve);
    child.on("error", unavailable);
    // Its last words come with `close`, after `exit`.
    child.on("close", (code, signal) => {
      clearTimeout(timer);
      if (passingSignals.includes(signal)) return unavailable(new Error(`it was ended by ${signal}`));
      const grew = said.includes(overMemory) ? said.slice(said.indexOf(overMemory)).split(/\s/)[1] : undefined;
      if (grew !== undefined) return reject(failed(tookMemory(Number(grew), limits.memoryBytes)));
      const how = signal ?? `exit code ${code}`;
      reject(failed(`ended its process (${how}): the graph crashes the runtime, or takes more memory than there is`));
    });
    child.send(question, (error) => {
      if (error) unavailable(error);
    });
  });
}

function tookMemory(grewBytes: number, limitBytes: number): string {
  const mega = (bytes: number) => `${Math.ceil(bytes / 2 ** 20)} MiB`;
  return `took ${mega(grewBytes)} of memory, over its limit of ${mega(limitBytes)}: raise it, or use a smaller model`;
}
