/** A process that answers a line of JSON with a line of JSON: how peers that are Python libraries are asked. */
import { type ChildProcess, spawn } from "node:child_process";
import { once } from "node:events";
import { existsSync } from "node:fs";
import { homedir } from "node:os";
import { join } from "node:path";
import { createInterface } from "node:readline";
import { fileURLToPath } from "node:url";

export interface LinePeer {
  /** @throws Error with the last that the process said, where it ends instead of answering. */
  ask(question: object): Promise<unknown>;
  close(): Promise<void>;
}

const environments = process.env.VEDETTE_BENCH_PEERS ?? join(homedir(), ".cache", "vedette-bench-peers");
const shownOutput = 2000;

const pythonOf = (environment: string): string => join(environments, environment, "bin", "python");

/** Whether peers/make.sh has made the environment here. */
export function isMade(environment: string): boolean {
  return existsSync(pythonOf(environment));
}

/** @param script in bench/peers, with its arguments. */
export function openPythonPeer(environment: string, script: string, ...args: string[]): LinePeer {
  const file = fileURLToPath(new URL(`../peers/${script}`, import.meta.url));
  return openLinePeer(pythonOf(environment), [file, ...args]);
}

export function openLinePeer(command: string, args: readonly string[]): LinePeer {
  // One thread, whatever a library thinks of the machine.
  const env = { ...process.env, OMP_NUM_THREADS: "1", OPENBLAS_NUM_THREADS: "1", TF_NUM_INTRAOP_THREADS: "1" };
  const child = spawn(command, args, { stdio: ["pipe", "pipe", "pipe"], env });
  let said = "";
  child.stderr.setEncoding("utf8").on("data", (text: string) => {
    said = (said + text).slice(-shownOutput);
  });
  // What cannot be written is told by the end of the process, which the next answer waits for.
  child.stdin.on("error", () => undefined);
  const answers = createInterface({ input: child.stdout })[Symbol.asyncIterator]();
  const ended = endOf(child);
  return {
    async ask(question) {
      child.stdin.write(`${JSON.stringify(question)}\n`);
      const answer = await answers.next();
      if (!answer.done) return JSON.parse(answer.value) as unknown;
      throw new Error(
        `${[command, ...args].join(" ")} ended (${await ended}) instead of answering; the last it said:\n${said}`,
      );
    },
    async close() {
      child.stdin.end();
      await ended;
    },
  };
}

async function endOf(child: ChildProcess): Promise<string> {
  try {
    const [code, signal] = (await once(child, "exit")) as [number | null, string | null];
    return String(code ?? signal);
  } catch (error) {
    return error instanceof Error ? error.message : String(error);
  }
}
