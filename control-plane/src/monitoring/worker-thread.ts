/**
 * A thread that answers calls: `serveCalls` inside it, `startThread` outside. A thread that dies fails the calls it had
 * and is started anew by the next one.
 */
import { parentPort, type Transferable, Worker } from "node:worker_threads";
import { codeOf, type ErrorCode, messageOf, VedetteError } from "@vedette/protocol/errors";
import { storageFault } from "../storage-fault.ts";

/** What a thread answers: plain data in, plain data out. */
export type Calls = Record<string, (input: never) => unknown>;
type Answer = { id: number; value?: unknown; error?: { code: ErrorCode; message: string } };

export interface Thread<C extends Calls> {
  /** @throws VedetteError of the call, or storage_failed where the thread died. */
  call<K extends keyof C & string>(
    name: K,
    input: Parameters<C[K]>[0],
    transfer?: readonly Transferable[],
  ): Promise<Awaited<ReturnType<C[K]>>>;
  /** Ends the thread at once, as a crash would. */
  kill(): Promise<void>;
  /** Answers what was called, then calls `close` of the thread and ends it. */
  close(): Promise<void>;
}

/** Starts a thread from a module that calls `serveCalls`. */
export function startThread<C extends Calls>(module: URL, workerData: unknown): Thread<C> {
  let worker: Worker | undefined;
  let closed = false;
  let nextId = 0;
  const waiting = new Map<number, { resolve(value: unknown): void; reject(error: VedetteError): void }>();

  const start = () => {
    const started = new Worker(module, { workerData });
    started.on("message", ({ id, value, error }: Answer) => {
      const call = waiting.get(id);
      waiting.delete(id);
      if (error) call?.reject(new VedetteError(error.code, error.message));
      else call?.resolve(value);
    });
    let cause: unknown;
    started.on("error", (error) => {
      cause = error;
    });
    started.on("exit", () => {
      if (worker === started) worker = undefined;
      for (const call of waiting.values()) {
        call.reject(
          new VedetteError("storage_failed", `a storage thread ended: ${messageOf(cause ?? "killed")}`, { cause }),
        );
      }
      waiting.clear();
    });
    return started;
  };

  const call: Thread<C>["call"] = (name, input, transfer = []) =>
    new Promise((resolve, reject) => {
      if (closed) throw new VedetteError("storage_failed", "the storage thread is closed");
      worker ??= start();
      const id = nextId++;
      waiting.set(id, { resolve: resolve as (value: unknown) => void, reject });
      worker.postMessage({ id, name, input }, transfer);
    });
  const kill = async () => {
    await worker?.terminate();
  };
  return {
    call,
    kill,
    async close() {
      if (worker) await call("close", undefined as never);
      closed = true;
      await kill();
    },
  };
}

/** Inside the thread: answers calls one after the other. `close` is called last. */
export function serveCalls<C extends Calls>(calls: C & { close(): unknown }): void {
  const port = parentPort;
  if (!port) throw new VedetteError("internal", "serveCalls runs in a worker thread only");
  let before = Promise.resolve();
  port.on("message", ({ id, name, input }: { id: number; name: string; input: never }) => {
    before = before.then(async () => {
      try {
        port.postMessage({ id, value: await calls[name]?.(input) } satisfies Answer);
      } catch (thrown) {
        const error = storageFault(thrown);
        port.postMessage({ id, error: { code: codeOf(error), message: messageOf(error) } } satisfies Answer);
      }
    });
  });
}
