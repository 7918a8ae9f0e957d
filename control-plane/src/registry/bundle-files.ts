/** A bundle's files out of the blob store, read as a device will: each chunk by its name, of its length, together the file. */
import { createHash } from "node:crypto";
import type { BundleFile } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import type { BlobStore } from "../ports.ts";
import { sha256 as sha256Of } from "../sha256.ts";

/** @throws VedetteError not_found (chunks that were not sent), digest_mismatch, length_mismatch. */
export async function checkFile(file: BundleFile, blobs: Pick<BlobStore, "get">): Promise<void> {
  for await (const _ of chunksOf(file, blobs));
}

/** The whole file. @throws VedetteError as `checkFile`. */
export async function readFile(file: BundleFile, blobs: Pick<BlobStore, "get">): Promise<Uint8Array<ArrayBuffer>> {
  const whole = new Uint8Array(file.size);
  let at = 0;
  for await (const chunk of chunksOf(file, blobs)) {
    whole.set(chunk, at);
    at += chunk.length;
  }
  return whole;
}

async function* chunksOf(
  { path, sha256: named, chunks }: BundleFile,
  blobs: Pick<BlobStore, "get">,
): AsyncGenerator<Uint8Array> {
  const whole = createHash("sha256");
  for (const { sha256, length } of chunks) {
    const bytes = await blobs.get(sha256);
    if (!bytes) {
      throw new VedetteError("not_found", `chunk ${sha256} of ${path} is not here: PUT /v1/blobs/${sha256} first`);
    }
    if (bytes.length !== length) {
      throw new VedetteError(
        "length_mismatch",
        `chunk ${sha256} of ${path} has ${bytes.length} bytes, not the ${length} of the manifest`,
      );
    }
    if (sha256Of(bytes) !== sha256) {
      throw new VedetteError(
        "digest_mismatch",
        `chunk ${sha256} of ${path} holds other bytes than its name says: the disk changed it`,
      );
    }
    whole.update(bytes);
    yield bytes;
  }
  if (whole.digest("hex") !== named) {
    throw new VedetteError("digest_mismatch", `the chunks of ${path} do not make up the file of its sha256`);
  }
}
