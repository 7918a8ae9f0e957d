/** The chunks that many devices fetch at the same time, read once from the store. The least recently used go first. */
import type { BlobStore } from "../ports.ts";

export interface BlobCache {
  /** The bytes of a blob, or undefined where the store has none of that name or it is over `maxBytes`. */
  get(sha256: string): Promise<Buffer | undefined>;
}

/** `maxBytes`: the largest blob that is answered; `capacity`: bytes kept. */
export function createBlobCache(blobs: BlobStore, maxBytes: number, capacity: number): BlobCache {
  const kept = new Map<string, Buffer>();
  const reading = new Map<string, Promise<Buffer | undefined>>();
  let bytes = 0;

  const keep = (sha256: string, blob: Buffer) => {
    kept.set(sha256, blob);
    bytes += blob.length;
    for (const [oldest, { length }] of kept) {
      if (bytes <= capacity) break;
      kept.delete(oldest);
      bytes -= length;
    }
  };
  const read = async (sha256: string) => {
    try {
      const found = await blobs.get(sha256);
      if (!found || found.length > maxBytes) return undefined;
      const blob = Buffer.from(found.buffer, found.byteOffset, found.byteLength);
      keep(sha256, blob);
      return blob;
    } finally {
      reading.delete(sha256);
    }
  };

  return {
    get(sha256) {
      const blob = kept.get(sha256);
      if (blob) {
        kept.delete(sha256);
        kept.set(sha256, blob);
        return Promise.resolve(blob);
      }
      const under = reading.get(sha256) ?? read(sha256);
      if (!kept.has(sha256)) reading.set(sha256, under);
      return under;
    },
  };
}
