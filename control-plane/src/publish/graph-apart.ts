/**
 * A graph in a process of its own: a few hundred bytes of ONNX can loop for ever or take all memory, and neither can be
 * stopped from within. Talks to `graph-process.ts`.
 */
import { type ChildProcess, fork } from "node:child_process";
import { fileURLToPath } from "node:url";
import { type ErrorCode, VedetteError } from "@vedette/protocol/errors";
import type { Tensor } from "@vedette/protocol/tensors";
import type { Graph, Output } from "./graph.ts";

export type GraphQuestion =
  | {
      readonly kind: "open";
      readonly model: Uint8Array;
      readonly backend: "node-cpu" | "wasm";
      readonly memoryBytes: number | undefined;
    }
  | { readonly kind: "run"; readonly feeds: Readonly<Record<string, Tensor>> }
  | {
      readonly kind: "time";
      readonly feeds: Readonly<Record<string, Tensor>>;
      readonly runs: number;
      readonly forMs: number;
    };
/** What runs cost: each one's ms, and the process's largest growth in bytes since the runtime was ready. */
interface GraphCost {
  readonly ms: readonly number[];
  readonly peakBytes: number;
}
export interface GraphAnswer {
  readonly cost?: GraphCost;
  readonly opened?: Pick<Graph, "opset" | "domains" | "inputs" | "outputs">;
  readonly outputs?: Readonly<Record<string, Output>>;
  readonly error?: { readonly code: ErrorCode; readonly message: string };
}

/** What the process prints before it ends itself for taking too much. */
export const overMemory = "vedette-graph-over-memory";

/** Whether a refusal of `openGraphApart`'s is for memory that its process took. */
export function tookTooMuch(error: VedetteError): boolean {
  return error.cause === overMemory;
}

const entry = fileURLToPath(new URL("./graph-process.ts", import.meta.url));
/** Loading, or one run of some hundred rows. A device would give up far sooner. */
const longestMs = 60_000;

export interface GraphApart extends Graph {
  /** Times so many warm runs, fewer where they take longer than `forMs` together. */
  time(feeds: Readonly<Record<string, Tensor>>, runs: number, forMs: number): Promise<GraphCost>;
}

export interface ApartOptions {
  /** What runs it; onnxruntime-node where it is not said. */
  readonly backend?: "node-cpu" | "wasm";
  /** By which its process may grow before it is ended; 1 GiB and 16 bytes for each of the model where it is not said. */
  readonly memoryBytes?: number;
}

/**
 * As `openGraph`; besides, a graph that does not answer in time, or whose process dies, is refused as invalid_model.
 * @param limitMs for each question.
 */
export async function openGraphApart(
  model: Uint8Array,
  limitMs: number = longestMs,
  { backend = "node-cpu", memoryBytes }: ApartOptions = {},
): Promise<GraphApart> {
  const child = fork(entry, { serialization: "advanced", execArgv: [], stdio: ["ignore", "inherit", "pipe", "ipc"] });
  let said = "";
  child.stderr?.on("data", (text) => {
    said = `${said}${text}`.slice(-2_000);
  });
  const ask = (question: GraphQuestion) => askChild(child, question, limitMs, () => said);
  const release = async () => void child.kill("SIGKILL"); // it keeps nothing
  try {
    const { opened } = await ask({ kind: "open", model, backend, memoryBytes });
    if (!opened) throw new VedetteError("internal", "the graph's process did not say what it opened");
    return {
      ...opened,
      async run(feeds) {
        const { outputs } = await ask({ kind: "run", feeds: Object.fromEntries(Object.entries(feeds).map(owned)) });
        if (!outputs) throw new VedetteError("internal", "the graph's process did not say what it answered");
        return outputs;
      },
      async time(feeds, runs, forMs) {
        const owning = Object.fromEntries(Object.entries(feeds).map(owned));
        const { cost } = await ask({ kind: "time", feeds: owning, runs, forMs });
        if (!cost) throw new VedetteError("internal", "the graph's process did not say what it cost");
        return cost;
      },
      release,
    };
  } catch (error) {
    await release();
    throw error;
  }
}

/** A view would be sent with all of the buffer that it looks at. */
function owned([name, tensor]: [string, Tensor]): [string, Tensor] {
  const { datatype, shape, data } = tensor;
  return [name, { datatype, shape, data: datatype === "BYTES" ? data : (data.slice() as Tensor["data"]) }];
}

function askChild(
  child: ChildProcess,
  question: GraphQuestion,
  limitMs: number,
  said: () => string,
): Promise<GraphAnswer> {
  const doing = question.kind === "open" ? "loading the model" : "the model, run on the reference data,";
  return new Promise((resolve, reject) => {
    const settle = (done: () => void) => {
      clearTimeout(timer);
      child.off("message", answered).off("close", ended).off("error", failed);
      done();
    };
    const answered = (answer: GraphAnswer) =>
      settle(() => {
        if (answer.error) reject(new VedetteError(answer.error.code, answer.error.message));
        else resolve(answer);
      });
    const ended = (code: number | null, signal: string | null) =>
      settle(() => {
        const greedy = said().includes(overMemory);
        const how = greedy ? "it took too much memory" : `its process ended (${signal ?? `exit code ${code}`})`;
        const advice = greedy ? "use a smaller model" : "the graph crashes the runtime, and no device would survive it";
        const cause = greedy ? { cause: overMemory } : {};
        reject(new VedetteError("invalid_model", `${doing} was too much: ${how}; ${advice}`, cause));
      });
    const failed = (cause: Error) =>
      settle(() => reject(new VedetteError("internal", `the graph's process failed: ${cause.message}`, { cause })));
    const timer = setTimeout(
      () =>
        settle(() => {
          child.kill("SIGKILL");
          const advice = "look for a Loop or If that does not come to its end, and export it anew";
          reject(new VedetteError("invalid_model", `${doing} did not end within ${limitMs / 1000} s: ${advice}`));
        }),
      limitMs,
    );
    child.on("message", answered).on("close", ended).on("error", failed);
    child.send(question, (error) => {
      if (error) failed(error);
    });
  });
}
