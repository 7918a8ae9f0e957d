/**
 * What app developers import:
 *
 *     import { connect } from "https://your-control-plane/agent/vedette.js";
 *     const agent = await connect({ token, labels: { city: "seattle" } });
 *     const { answers } = await agent.predict({ model: "rain-gauge", inputs: [{ temp_max: 12.8, wind: 4.7 }] });
 *
 * The agent itself runs in a worker, so that neither loading a model nor predicting ever blocks the page.
 */
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { proxy, wrap } from "comlink";
import type { Prediction } from "../core/agent.ts";
import type { NamedRequest } from "../core/serve/named-rows.ts";
import workerUrl from "./agent-worker.ts?worker&url";
import { startWorker } from "./start-worker.ts";
import { createWhileAlive } from "./while-alive.ts";
import { type OpenOptions, type PageStatus, unwrap, type WorkerApi } from "./worker-api.ts";

export { VedetteError } from "@vedette/protocol/errors";
export type { Answer, Prediction } from "../core/agent.ts";
export type { NamedRequest, NamedRow, NamedValue } from "../core/serve/named-rows.ts";
export type { PageStatus } from "./worker-api.ts";

export interface ConnectOptions {
  /** Enrolment token; needed the first time only, and ignored once this browser has joined that site. */
  readonly token?: string;
  /** Name to join by, 1-64 of A-Z a-z 0-9 _ -; a random one where there is none. */
  readonly name?: string;
  readonly labels?: Readonly<Record<string, string>>;
  /** Where the agent keeps its files among this origin's data: another home is another device. */
  readonly home?: string;
  /** Wait before another try to connect: `firstMs` (1 s) doubled to `capMs` (5 min), each halved to full at random. */
  readonly backoff?: { readonly firstMs: number; readonly capMs: number };
}

export interface PageConnection {
  /** The device's id. */
  readonly id: string;
  /**
   * Answers every row, also offline and also without a model (then by the fallback ladder).
   * @throws VedetteError not_found (no such model here), invalid_input (names the field that is wrong).
   */
  predict(request: NamedRequest): Promise<Prediction>;
  status(): Promise<PageStatus>;
  /** Calls after each change that a person would want to see; the answer unsubscribes. */
  onChange(call: () => void): () => void;
  /** Stops the agent and ends its worker: the only way to give a WebAssembly model's memory back. */
  close(): Promise<void>;
}

/**
 * Starts this page's agent. Resolves when it can answer, online or not.
 * @throws VedetteError busy (it runs in another tab), invalid_token, conflict, unsupported (no WebCrypto Ed25519),
 * offline (only while joining), storage_failed.
 */
export async function connect(options: ConnectOptions = {}): Promise<PageConnection> {
  const { home = "vedette", ...rest } = options;
  if (!/^[a-z0-9-]{1,32}$/.test(home)) throw new VedetteError("invalid_argument", "`home` is 1-32 of a-z 0-9 -");
  const open: OpenOptions = { home, ...rest };
  // Asked, not needed, and not waited for, since some browsers ask a person: without it a browser short of space may evict
  // the agent, which would then have to join anew.
  navigator.storage?.persist?.().catch((error: unknown) => console.warn("vedette storage.not_persistent", error));

  const worker = startWorker(new URL(workerUrl, import.meta.url), "vedette");
  const { within, died } = createWhileAlive();
  worker.onerror = (event) => {
    const why = event.message || "its script could not be loaded; is `agent/` served whole?";
    died(new VedetteError("internal", `the agent's worker failed: ${why}`));
  };
  // Every method of the worker answers by a promise already, so what comlink makes of it has the same shape.
  const remote = wrap<WorkerApi>(worker) as unknown as WorkerApi;

  const listeners = new Set<() => void>();
  const changed = proxy(() => {
    for (const call of listeners) call();
  });
  let id: string;
  try {
    id = unwrap(await within(() => remote.open(open, changed))).agent;
  } catch (error) {
    worker.terminate();
    throw error instanceof VedetteError ? error : new VedetteError("internal", messageOf(error), { cause: error });
  }
  return {
    id,
    predict: async (request) => unwrap(await within(() => remote.predict(request))),
    status: async () => unwrap(await within(() => remote.status())),
    onChange(call) {
      listeners.add(call);
      return () => listeners.delete(call);
    },
    async close() {
      listeners.clear();
      try {
        unwrap(await within(() => remote.close()));
      } finally {
        worker.terminate();
      }
    },
  };
}
