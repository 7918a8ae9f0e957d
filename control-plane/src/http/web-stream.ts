/** Answers of any length: from what makes their bytes to what Hono sends. records.ts asks. */
import type { Readable } from "node:stream";

/**
 * The bytes of a stream as they are asked for; who asks no more ends it. By hand: Node's own adapter throws where a client
 * goes away in the middle, with nobody there to catch it.
 */
export function webStream(stream: Readable): ReadableStream<Uint8Array> {
  const chunks = stream[Symbol.asyncIterator]() as AsyncIterator<Uint8Array>;
  return new ReadableStream({
    async pull(controller) {
      const { done, value } = await chunks.next();
      if (done) controller.close();
      else controller.enqueue(value);
    },
    // Not the iterator: one that was never asked does not end its stream.
    cancel: () => void stream.destroy(),
  });
}
