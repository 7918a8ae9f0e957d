/**
 * Gets chunks by their hash: from the broker's retained messages, and where those are silent or wrong, from the control
 * plane by /pull. Each is verified before it is written; what the store already holds is not asked for.
 */
import { codeOf, messageOf, VedetteError } from "@vedette/protocol/errors";
import type { topics } from "@vedette/protocol/topics";
import type { DataBudget } from "../link/data-budget.ts";
import type { Inbox } from "../link/inbox.ts";
import type { Clock, Logger, Random, Transport } from "../ports.ts";
import type { BundleStore, ChunkName } from "../store/bundle-store.ts";

/** Chunks under way at once. */
const windowSize = 4;
/** A missing retained topic is silent. */
const silenceMs = 5_000;
const retainedTries = 2;
const pullTries = 3;

export interface ChunkPorts {
  readonly clock: Clock;
  readonly random: Random;
  readonly transport: Transport;
  readonly inbox: Inbox;
  readonly log: Logger;
  readonly store: BundleStore;
  readonly topic: ReturnType<typeof topics>;
  readonly agent: string;
  readonly budget: Pick<DataBudget, "take">;
}

/**
 * Resolves when every chunk is in the store.
 * @throws VedetteError digest_mismatch, length_mismatch (wrong bytes, whoever was asked); timeout, offline, forbidden,
 *   data_budget.
 */
export async function fetchChunks(chunks: readonly ChunkName[], ports: ChunkPorts): Promise<void> {
  const left = [...new Map(chunks.map((chunk) => [chunk.sha256, chunk])).values()];
  let failed = false;
  const worker = async () => {
    for (let chunk = left.shift(); chunk && !failed; chunk = left.shift()) {
      if (await ports.store.hasChunk(chunk)) continue;
      let giveBack = () => {};
      try {
        giveBack = ports.budget.take(chunk.length);
        await fetchChunk(chunk, ports);
      } catch (error) {
        failed = true;
        throw error;
      } finally {
        giveBack();
      }
    }
  };
  const done = await Promise.allSettled(Array.from({ length: windowSize }, worker));
  for (const each of done) if (each.status === "rejected") throw each.reason;
}

async function fetchChunk(chunk: ChunkName, ports: ChunkPorts): Promise<void> {
  const { topic, agent, transport } = ports;
  const retained = topic.blob(chunk.sha256);
  const own = topic.chunk(agent, chunk.sha256);
  let wrong: VedetteError | undefined;
  for (let i = 0; i < retainedTries && !wrong; i++) {
    const got = await take(chunk, retained, ports, silenceMs, async () => {});
    if (got === "stored") return;
    if (got !== "silent") wrong = got;
  }
  for (let i = 0; i < pullTries; i++) {
    // A control plane that is busy is not asked by the whole fleet in step, nor ever faster.
    const patience = silenceMs * 2 ** i * (1 + 0.5 * ports.random.unit());
    const got = await take(chunk, own, ports, patience, () =>
      transport.publish(topic.pull(agent), JSON.stringify({ chunks: [chunk.sha256] }), { qos: 1 }),
    );
    if (got === "stored") return;
    if (got !== "silent") wrong = got;
  }
  throw wrong ?? new VedetteError("timeout", `chunk ${chunk.sha256} did not come, neither retained nor by pull`);
}

/** One subscription, one message: stored, or what was wrong with it, or silence. */
async function take(
  chunk: ChunkName,
  from: string,
  ports: ChunkPorts,
  patienceMs: number,
  ask: () => Promise<void>,
): Promise<"stored" | "silent" | VedetteError> {
  const { clock, inbox, log, store, transport } = ports;
  let cancel: () => void = () => {};
  let off: () => void = () => {};
  const payload = new Promise<Uint8Array<ArrayBuffer> | undefined>((resolve) => {
    off = inbox.on(from, (bytes) => resolve(bytes));
    cancel = clock.after(patienceMs, () => resolve(undefined));
  });
  try {
    await transport.subscribe(from, 0);
    await ask();
    const bytes = await payload;
    if (!bytes) return "silent";
    await store.putChunk(chunk, bytes);
    return "stored";
  } catch (error) {
    const wrong =
      error instanceof VedetteError && (error.code === "digest_mismatch" || error.code === "length_mismatch");
    if (!wrong) throw error;
    log.warn("chunk.refused", { chunk: chunk.sha256, from, code: error.code });
    return error;
  } finally {
    cancel();
    off();
    // Where the connection is gone, so is the subscription.
    await transport.unsubscribe(from).catch((error: unknown) => {
      if (codeOf(error) !== "offline") log.warn("chunk.unsubscribe_failed", { from, why: messageOf(error) });
    });
  }
}
