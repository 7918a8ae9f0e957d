/** Compressor of a page: gzip, the best that every browser has built in. */
import type { Compressor } from "../core/ports.ts";

export const gzipCompressor: Compressor = {
  kind: "gzip",
  async compress(bytes) {
    const packed = new Blob([bytes]).stream().pipeThrough(new CompressionStream("gzip"));
    return new Uint8Array(await new Response(packed).arrayBuffer());
  },
};
