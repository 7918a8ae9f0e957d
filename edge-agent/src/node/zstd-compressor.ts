/** Port Compressor: zstd of node:zlib, level 3 (batches are small and the device's CPU is not ours alone). */
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import type { Compressor } from "../core/ports.ts";

const compress = promisify(zstdCompress);
/** What node:zlib takes at least. */
const minChunk = 64;
const params = { [constants.ZSTD_c_compressionLevel]: 3 };

export const zstdCompressor: Compressor = {
  kind: "zstd",
  async compress(bytes) {
    // Told how much comes, zstd makes tables of that size; and one chunk holds the whole answer: both save a third of the time.
    const options = { params, pledgedSrcSize: bytes.length, chunkSize: Math.max(minChunk, bytes.length) };
    return new Uint8Array(await compress(bytes, options));
  },
};
