/** Sends what a bundle's version needs beside its manifest: the chunks that the control plane lacks, and labelled rows. */
import { VedetteError } from "@vedette/protocol/errors";
import type { Bundle } from "./build-bundle.ts";

export interface BlobApi {
  missingBlobs(sha256: string[]): Promise<string[]>;
  putEvaluation(sha256: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  putBlob(sha256: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
}

/** Hashes in one question. */
const blobsPerQuery = 10_000;

/** @returns bytes of the chunks that had to be sent. */
export async function sendBlobs(api: BlobApi, { blobs, evaluation }: Bundle): Promise<number> {
  const names = [...blobs.keys()];
  let sent = 0;
  for (let at = 0; at < names.length; at += blobsPerQuery) {
    for (const name of await api.missingBlobs(names.slice(at, at + blobsPerQuery))) {
      const bytes = blobs.get(name);
      if (!bytes)
        throw new VedetteError("internal", `the control plane asks for blob ${name}, which is not of this bundle`);
      await api.putBlob(name, bytes);
      sent += bytes.length;
    }
  }
  if (evaluation) await api.putEvaluation(evaluation.lineage.sha256, evaluation.bytes);
  return sent;
}
