/**
 * Port Packer: large batches in a thread of their own (`packer-thread.ts`), since hashing a thousand receipts would hold up
 * every answer for as long; small ones in place, where a quiet device is spared the thread's memory. The thread begins with
 * the first large batch and ends when none came for a while. What it cannot do, for whatever reason, is done here.
 */
import { Worker } from "node:worker_threads";
import { messageOf } from "@vedette/protocol/errors";
import { packRows } from "../core/log/pack-rows.ts";
import type { Logger, PackedRows, Packer, PackQuestion } from "../core/ports.ts";
import { nodeCrypto } from "./node-crypto.ts";
import type { PackReply, PackRequest } from "./packer-thread.ts";
import { zstdCompressor } from "./zstd-compressor.ts";

export interface ThreadPackerOptions {
  /** Batches of fewer rows are packed in place: with receipts, 512 hold up an answer for a few ms. */
  readonly fromRows: number;
  /** How long the thread waits for more, ms. */
  readonly idleMs: number;
}
const defaults: ThreadPackerOptions = { fromRows: 512, idleMs: 120_000 };
const tools = { crypto: nodeCrypto, compressor: zstdCompressor };
/** Semi-spaces of 8 MB, as in `lean-process`. */
const resourceLimits = { maxYoungGenerationSizeMb: 24 };

export interface ThreadPacker extends Packer {
  /** Id of the thread that stands ready or works; null where there is none. */
  readonly threadId: number | null;
  /** Ends the thread; what it was asked is packed here. */
  close(): Promise<void>;
}

interface Thread {
  readonly worker: Worker;
  readonly waiting: Map<number, PromiseWithResolvers<PackedRows>>;
  idle: NodeJS.Timeout | undefined;
}

export function createThreadPacker(
  log: Pick<Logger, "warn">,
  options: Partial<ThreadPackerOptions> = {},
): ThreadPacker {
  const { fromRows, idleMs } = { ...defaults, ...options };
  let thread: Thread | undefined;
  let nextId = 0;

  function start(): Thread {
    // Flags of the command line, such as a test runner's, are not for it.
    const worker = new Worker(new URL("./packer-thread.ts", import.meta.url), { execArgv: [], resourceLimits });
    const made: Thread = { worker, waiting: new Map(), idle: undefined };
    const lose = (why: string): void => {
      if (thread === made) thread = undefined;
      for (const call of made.waiting.values()) call.reject(new Error(`the packing thread ended: ${why}`));
      made.waiting.clear();
    };
    worker.on("error", (error) => lose(messageOf(error)));
    worker.on("exit", (code) => lose(`exit code ${code}`));
    worker.on("message", (reply: PackReply) => {
      const call = made.waiting.get(reply.id);
      made.waiting.delete(reply.id);
      if (made.waiting.size === 0) rest(made);
      if ("packed" in reply) call?.resolve(reply.packed);
      else call?.reject(new Error(reply.failed));
    });
    return made;
  }

  /** Neither the thread nor its timer keeps a process alive that has nothing else to do. */
  function rest(from: Thread): void {
    from.worker.unref();
    from.idle = setTimeout(() => void end(from), idleMs).unref();
  }

  async function end(from: Thread): Promise<void> {
    clearTimeout(from.idle);
    if (thread === from) thread = undefined;
    await from.worker.terminate();
  }

  function ask(question: PackQuestion): Promise<PackedRows> {
    thread ??= start();
    clearTimeout(thread.idle);
    thread.worker.ref();
    const id = nextId++;
    const call = Promise.withResolvers<PackedRows>();
    thread.waiting.set(id, call);
    // Copied and not handed over: the rows must be here still where the thread fails.
    thread.worker.postMessage({ id, question } satisfies PackRequest);
    return call.promise;
  }

  return {
    get threadId() {
      return thread?.worker.threadId ?? null;
    },
    async pack(question) {
      if (question.count < fromRows) return packRows(question, tools);
      try {
        return await ask(question);
      } catch (error) {
        const { stream, seq } = question.batch;
        log.warn("batch_packed_in_place", { stream, seq, why: messageOf(error) });
        return packRows(question, tools);
      }
    },
    async close() {
      if (thread) await end(thread);
    },
  };
}
