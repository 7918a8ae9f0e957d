/** Port Compressor: zstd of node:zlib, level 3 (batches are small and the device's CPU is not ours alone). */
import { promisify } from "node:util";
import { constants, zstdCompress } from "node:zlib";
import type { Compressor } from "../core/ports.ts";

const compress = promisify(zstdCompress);
const options = { params: { [constants.ZSTD_c_compressionLevel]: 3 } };

export const zstdCompressor: Compressor = {
  kind: "zstd",
  compress: async (bytes) => new Uint8Array(await compress(bytes, options)),
};
