/** Cuts a bundle's file into content-addressed chunks. Pure. */
import type { BundleFile } from "@vedette/protocol/bundle";
import { sha256 } from "../sha256.ts";
import { cutChunks } from "./cut-chunks.ts";

/** The file as the manifest names it, and its chunks by their sha256. */
export function chunkFile(
  path: string,
  bytes: Uint8Array<ArrayBuffer>,
): { file: BundleFile; blobs: ReadonlyMap<string, Uint8Array<ArrayBuffer>> } {
  const blobs = new Map<string, Uint8Array<ArrayBuffer>>();
  const chunks: BundleFile["chunks"] = [];
  let at = 0;
  for (const length of cutChunks(bytes)) {
    const part = bytes.subarray(at, at + length);
    at += length;
    const name = sha256(part);
    blobs.set(name, part);
    chunks.push({ sha256: name, length: part.length });
  }
  return { file: { path, sha256: sha256(bytes), size: bytes.length, chunks }, blobs };
}
