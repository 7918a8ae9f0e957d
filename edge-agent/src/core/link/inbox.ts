/**
 * Hands each message to who waits for its topic. The transport delivers here; session, requester and chunk fetching
 * listen. A handler that throws says so in the log: one bad message must not end the connection.
 */
import { codeOf, messageOf } from "@vedette/protocol/errors";
import type { Logger } from "../ports.ts";

type Handler = (payload: Uint8Array<ArrayBuffer>) => void | Promise<void>;

export interface Inbox {
  /** Calls for each message of an exact topic, after any earlier listener; the answer ends it. */
  on(topic: string, handler: Handler): () => void;
  deliver(topic: string, payload: Uint8Array<ArrayBuffer>): void;
}

export function createInbox(log: Logger): Inbox {
  const handlers = new Map<string, Set<Handler>>();
  const handle = async (topic: string, handler: Handler, payload: Uint8Array<ArrayBuffer>) => {
    try {
      await handler(payload);
    } catch (error) {
      log.warn("message.refused", { topic, code: codeOf(error), why: messageOf(error) });
    }
  };
  return {
    on(topic, handler) {
      const listening = handlers.get(topic) ?? new Set();
      handlers.set(topic, listening.add(handler));
      return () => {
        listening.delete(handler);
        if (listening.size === 0 && handlers.get(topic) === listening) handlers.delete(topic);
      };
    },
    deliver(topic, payload) {
      for (const handler of [...(handlers.get(topic) ?? [])]) void handle(topic, handler, payload);
    },
  };
}
