/** The thread that packs batches: thread-packer.ts sends it questions, one answer each. It keeps nothing. */
import { parentPort } from "node:worker_threads";
import { messageOf } from "@vedette/protocol/errors";
import { packRows } from "../core/log/pack-rows.ts";
import type { PackedRows, PackQuestion } from "../core/ports.ts";
import { nodeCrypto } from "./node-crypto.ts";
import { zstdCompressor } from "./zstd-compressor.ts";

export interface PackRequest {
  readonly id: number;
  readonly question: PackQuestion;
}
export type PackReply =
  | { readonly id: number; readonly packed: PackedRows }
  /** The one who asked packs these rows himself, and meets the error, if it is the rows'. */
  | { readonly id: number; readonly failed: string };

const port = parentPort;
if (!port) throw new Error("packer-thread.ts runs as a worker thread of thread-packer.ts only");
const tools = { crypto: nodeCrypto, compressor: zstdCompressor };

async function answer({ id, question }: PackRequest): Promise<PackReply> {
  try {
    return { id, packed: await packRows(question, tools) };
  } catch (error) {
    return { id, failed: messageOf(error) };
  }
}

port.on("message", (request: PackRequest) => void answer(request).then((reply) => port.postMessage(reply)));
