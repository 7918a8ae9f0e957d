/**
 * The persistence that aedes asks for, keeping nothing: sessions are clean and devices may not retain. What a new
 * subscriber finds is the control plane's own: its birth, the device's hint, and blobs straight from the store.
 */
import { Readable } from "node:stream";
import { parseTopic } from "@vedette/protocol/topics";
import type { Logger } from "../ports.ts";
import type { BlobCache } from "./blob-cache.ts";

interface RetainedPacket {
  readonly cmd: "publish";
  readonly topic: string;
  readonly payload: Buffer;
  readonly qos: 0 | 1;
  readonly retain: true;
}

/** `messages`: payloads by exact topic, looked up and never searched. */
export function retainedOnly(messages: ReadonlyMap<string, string>, blobs: BlobCache, logger: Logger) {
  async function* found(topics: readonly string[]): AsyncGenerator<RetainedPacket> {
    for (const topic of topics) {
      const parsed = parseTopic(topic);
      if (parsed?.kind === "blob") {
        const payload = await blobs.get(parsed.sha256).catch((error: unknown) => {
          // aedes pipes this stream without an error handler; the device asks again, and then pulls.
          logger.error("mqtt.blob_failed", { sha256: parsed.sha256, error: String(error) });
          return undefined;
        });
        if (payload) yield { cmd: "publish", topic, payload, qos: 0, retain: true };
      } else {
        const text = messages.get(topic);
        if (text !== undefined) yield { cmd: "publish", topic, payload: Buffer.from(text), qos: 1, retain: true };
      }
    }
  }
  const nothing = async (): Promise<void> => {};
  const empty = () => Readable.from([]);
  return {
    // aedes insists on an async function here.
    async setup(): Promise<void> {},
    // One blob is read when the one before has been taken: a slow device holds one in memory, not all it asked for.
    createRetainedStreamCombi: (topics: readonly string[]) => Readable.from(found(topics), { highWaterMark: 1 }),
    createRetainedStream: empty,
    storeRetained: nothing,
    addSubscriptions: nothing,
    removeSubscriptions: nothing,
    subscriptionsByClient: async () => [],
    subscriptionsByTopic: async () => [],
    cleanSubscriptions: nothing,
    outgoingEnqueue: nothing,
    outgoingEnqueueCombi: nothing,
    outgoingUpdate: nothing,
    outgoingClearMessageId: nothing,
    outgoingStream: empty,
    incomingStorePacket: nothing,
    incomingGetPacket: () => Promise.reject(new Error("QoS 2 is not spoken here")),
    incomingDelPacket: nothing,
    cleanIncoming: nothing,
    // A will lives in its connection: it is published when that one breaks.
    putWill: nothing,
    getWill: nothing,
    delWill: nothing,
    streamWill: empty,
    getClientList: empty,
    destroy: nothing,
  };
}
