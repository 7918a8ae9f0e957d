/** The drift reference of a published version, out of the blob store, for those who open it with the kernels. */
import type { Manifest } from "@vedette/protocol/bundle";
import { concatBytes } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import type { BlobStore } from "../ports.ts";

/** @param whose names the version in the error. @throws VedetteError storage_failed where a part of it is not there. */
export async function readReference(
  blobs: Pick<BlobStore, "get">,
  { files, drift }: Pick<Manifest, "files" | "drift">,
  whose: string,
): Promise<Uint8Array<ArrayBuffer>> {
  const chunks = files.find(({ path }) => path === drift.file)?.chunks ?? [];
  const parts = await Promise.all(chunks.map(({ sha256 }) => blobs.get(sha256)));
  const there = parts.filter((part) => part !== undefined);
  if (there.length === parts.length) return concatBytes(there);
  throw new VedetteError("storage_failed", `the drift reference of ${whose} is not in the store: publish it again`);
}
