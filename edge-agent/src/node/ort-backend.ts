/**
 * Port Backend on onnxruntime-node. A model is loaded in a worker thread of its own, where its first runs are measured;
 * one that is quick to load and to run then moves to the main thread (a hop between threads costs more than such a run),
 * any other stays, so that a long run never holds up an answer that does not need it.
 */
import { setTimeout } from "node:timers/promises";
import { Worker } from "node:worker_threads";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { lintModel } from "@vedette/protocol/onnx/lint-model";
import { InferenceSession } from "onnxruntime-node";
import { closeAll } from "../core/close-all.ts";
import type { Backend, Logger, Session } from "../core/ports.ts";
import { runSession, sessionOptions, type Tensors } from "./ort-tensors.ts";
import type { WorkerMessage, WorkerRequest } from "./ort-worker.ts";
import { startWatch } from "./thread-watch.ts";

export interface OrtBackendOptions {
  /** Runs measured in the worker before a model is placed. */
  readonly trialRuns: number;
  /** What those runs may keep a thread busy on average, ms, for a model to move to the main thread. */
  readonly mainThreadRunMs: number;
  /** What the load may keep a thread busy, ms: the main thread is asked to repeat it. */
  readonly mainThreadLoadMs: number;
  /** Longest wait for the runs of a model that is to go, ms. */
  readonly endWithinMs: number;
}
const defaults: OrtBackendOptions = { trialRuns: 5, mainThreadRunMs: 1, mainThreadLoadMs: 60, endWithinMs: 5_000 };

const delay = (ms: number) => setTimeout(ms, undefined, { ref: false });

/** A session that says where it runs, for tests and for status. */
interface PlacedSession extends Session {
  readonly thread: "worker" | "main";
}

export interface OrtBackend extends Backend {
  load(model: Uint8Array<ArrayBuffer>): Promise<PlacedSession>;
  /**
   * Loads no model from now on. Resolves when none is being loaded or run in a thread, or soon: a process that ends while the
   * runtime is at work in one aborts.
   */
  close(): Promise<void>;
}

/** @param options when a model runs on the main thread; zero `trialRuns` keeps every model in its worker. */
export function createOrtBackend(log: Pick<Logger, "warn">, options: Partial<OrtBackendOptions> = {}): OrtBackend {
  const { trialRuns, mainThreadRunMs, mainThreadLoadMs, endWithinMs } = { ...defaults, ...options };
  const loads = new Set<Promise<unknown>>();
  const threads = new Set<RemoteSession>();
  let closed = false;
  return {
    name: "node-cpu",
    async load(model) {
      if (closed) throw isStopping();
      lintModel(model);
      const loading = loadInWorker(model, endWithinMs).then(async (thread) => {
        if (closed) {
          // Nobody would end it: it would keep the process from ending.
          await thread.end();
          throw isStopping();
        }
        threads.add(thread);
        return thread;
      });
      loads.add(loading);
      const remote = await loading.finally(() => loads.delete(loading));
      // Kept only until the model is placed: some are tens of megabytes.
      let bytes: Uint8Array<ArrayBuffer> | undefined = trialRuns > 0 ? model : undefined;
      let main: InferenceSession | undefined;
      let moving: Promise<void> | undefined;
      let released = false;
      const times: number[] = [];
      let ranMs: number | undefined;

      const leaveThread = async () => {
        await remote.end();
        threads.delete(remote);
      };
      const move = async (from: Uint8Array<ArrayBuffer>) => {
        const session = await InferenceSession.create(from, sessionOptions);
        if (released) return session.release();
        main = session;
        await leaveThread();
      };
      const consider = (runMs: number) => {
        if (!bytes || times.push(runMs) < trialRuns) return;
        const model = bytes;
        bytes = undefined;
        // The first run of a session allocates: it says little of those to come.
        const counted = times.length > 1 ? times.slice(1) : times;
        const usual = counted.reduce((sum, ms) => sum + ms, 0) / counted.length;
        if (usual > mainThreadRunMs || remote.loadMs > mainThreadLoadMs) return;
        // A model that will not load twice goes on where it is.
        moving = move(model).catch((error: unknown) => log.warn("model.not_moved", { why: messageOf(error) }));
      };

      const placed: PlacedSession = {
        compared: false,
        inputs: remote.inputs,
        outputs: remote.outputs,
        get thread() {
          return main ? "main" : "worker";
        },
        get ranMs() {
          return ranMs;
        },
        async run(inputs, outputs) {
          if (released) throw new VedetteError("model_failed", "the model was released: load it again");
          if (main && !placed.compared) {
            ranMs = undefined;
            return runOnMain(main, inputs, outputs);
          }
          if (main) {
            const { tensors, runMs } = await runTimed(main, inputs, outputs);
            ranMs = runMs;
            return tensors;
          }
          const { tensors, runMs } = await remote.run(inputs, outputs);
          ranMs = runMs;
          consider(runMs);
          return tensors;
        },
        async release() {
          if (released) return;
          released = true;
          await moving;
          await closeAll("the model's sessions", [() => main?.release(), leaveThread]);
        },
      };
      return placed;
    },
    async close() {
      closed = true;
      await Promise.race([Promise.allSettled([...loads]), delay(endWithinMs)]);
      await Promise.all([...threads].map((thread) => thread.end()));
    },
  };
}

function isStopping(): VedetteError {
  return new VedetteError("not_ready", "the agent is stopping: no model is loaded any more");
}

async function runOnMain(session: InferenceSession, inputs: Tensors, outputs: readonly string[]): Promise<Tensors> {
  try {
    return await runSession(session, inputs, outputs);
  } catch (cause) {
    throw runFailed(messageOf(cause), cause);
  }
}

/**
 * With the time that the run keeps the thread busy, as a worker tells it, so that a version here and one in a worker are measured
 * alike. ONNX Runtime runs a graph whole in a callback of the next `setImmediate`: the watch begins in the callback before it.
 */
async function runTimed(
  session: InferenceSession,
  inputs: Tensors,
  outputs: readonly string[],
): Promise<{ tensors: Tensors; runMs: number | undefined }> {
  let took: (() => number) | undefined;
  setImmediate(() => {
    took = startWatch();
  });
  const tensors = await runOnMain(session, inputs, outputs);
  return { tensors, runMs: took?.() };
}

interface RemoteSession extends Pick<Session, "inputs" | "outputs"> {
  readonly loadMs: number;
  run(inputs: Tensors, outputs: readonly string[]): Promise<{ tensors: Tensors; runMs: number }>;
  /** Takes no more runs. Resolves when those under way are answered and the thread has ended, or would not in time. */
  end(): Promise<void>;
}

/** @throws VedetteError invalid_model, backend_unavailable. */
function loadInWorker(model: Uint8Array<ArrayBuffer>, endWithinMs: number): Promise<RemoteSession> {
  const worker = new Worker(new URL("./ort-worker.ts", import.meta.url), { workerData: model });
  const waiting = new Map<number, PromiseWithResolvers<{ tensors: Tensors; runMs: number }>>();
  const loaded = Promise.withResolvers<RemoteSession>();
  const send = (request: WorkerRequest) => worker.postMessage(request);
  let nextId = 0;
  let gone: VedetteError | undefined;

  const lose = (why: string, cause?: unknown) => {
    gone ??= runFailed(`its thread ended: ${why}`, cause);
    loaded.reject(new VedetteError("backend_unavailable", `the model's thread ended while loading: ${why}`, { cause }));
    for (const call of waiting.values()) call.reject(gone);
    waiting.clear();
  };
  const exited = Promise.withResolvers<void>();
  worker.on("error", (error) => lose(messageOf(error), error));
  worker.on("exit", (code) => {
    lose(`exit code ${code}`);
    exited.resolve();
  });
  worker.on("message", (message: WorkerMessage) => {
    if (message.kind === "loaded") {
      const { inputs, outputs, loadMs } = message;
      loaded.resolve({ inputs, outputs, loadMs, run, end });
    } else if (message.kind === "refused") {
      loaded.reject(new VedetteError("invalid_model", `ONNX Runtime does not take the model: ${message.why}`));
    } else {
      const call = waiting.get(message.id);
      waiting.delete(message.id);
      if (message.kind === "ran") call?.resolve(message);
      else call?.reject(runFailed(message.why));
    }
  });

  const run: RemoteSession["run"] = (inputs, outputs) => {
    if (gone) return Promise.reject(gone);
    const call = Promise.withResolvers<{ tensors: Tensors; runMs: number }>();
    const id = nextId++;
    try {
      send({ kind: "run", id, inputs, outputs });
    } catch (cause) {
      // A tensor whose memory the caller has given away meanwhile. What was never sent is not waited for.
      return Promise.reject(runFailed(messageOf(cause), cause));
    }
    waiting.set(id, call);
    return call.promise;
  };
  const end = async () => {
    gone ??= runFailed("it is being released");
    // It ends by itself, after what it was asked: a thread that is ended from outside while it is within the runtime takes the
    // whole process with it. A graph that never returns costs its thread, and holds up nobody.
    send({ kind: "end" });
    await Promise.race([exited.promise, delay(endWithinMs)]);
    worker.unref();
  };
  return loaded.promise;
}

function runFailed(why: string, cause?: unknown): VedetteError {
  return new VedetteError("model_failed", `the model did not run: ${why}`, { cause });
}
