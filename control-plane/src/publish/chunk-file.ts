/** Cuts a bundle's file into content-addressed chunks. Pure. */
import { createHash } from "node:crypto";
import { type BundleFile, chunkBytes } from "@vedette/protocol/bundle";

/** Lower-case hex. */
export function sha256(bytes: Uint8Array | string): string {
  return createHash("sha256").update(bytes).digest("hex");
}

/** The file as the manifest names it, and its chunks by their sha256. */
export function chunkFile(
  path: string,
  bytes: Uint8Array<ArrayBuffer>,
): { file: BundleFile; blobs: ReadonlyMap<string, Uint8Array<ArrayBuffer>> } {
  const blobs = new Map<string, Uint8Array<ArrayBuffer>>();
  const chunks: BundleFile["chunks"] = [];
  for (let at = 0; at < bytes.length; at += chunkBytes) {
    const part = bytes.subarray(at, at + chunkBytes);
    const name = sha256(part);
    blobs.set(name, part);
    chunks.push({ sha256: name, length: part.length });
  }
  return { file: { path, sha256: sha256(bytes), size: bytes.length, chunks }, blobs };
}
