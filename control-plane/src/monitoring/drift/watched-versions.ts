/** The drift references of published versions, out of the blob store and open: for those who merge windows and judge them. */
import { parseManifest } from "@vedette/protocol/bundle";
import { type DriftPolicy, driftPolicyOf } from "@vedette/protocol/drift";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { DriftReference, Kernels } from "@vedette/wasm-kernels";
import type { Database } from "../../db/database.ts";
import type { BlobStore } from "../../ports.ts";
import { readReference } from "../../registry/read-reference.ts";

export interface WatchedVersion {
  readonly model: string;
  readonly version: number;
  readonly digest: string;
  readonly policy: DriftPolicy;
  readonly abi: number;
  readonly reference: DriftReference;
}
export interface WatchedVersions {
  /** @throws VedetteError not_found (no such version), unsupported (another abi), storage_failed. */
  find(digest: string): Promise<WatchedVersion>;
}

/** References kept open; the one not asked for longest is closed. */
const mostOpen = 64;

export function createWatchedVersions(ports: {
  db: Database;
  blobs: Pick<BlobStore, "get">;
  kernels: Pick<Kernels, "abi" | "openReference">;
}): WatchedVersions {
  const { db, blobs, kernels } = ports;
  const open = new Map<string, Promise<WatchedVersion>>();

  async function load(digest: string): Promise<WatchedVersion> {
    const [version, text] = [await db.versions.findByDigest(digest), await db.versions.manifest(digest)];
    if (!version || text === undefined) throw new VedetteError("not_found", `no version has the digest ${digest}`);
    const manifest = parseManifest(text);
    const { model, version: number } = version;
    const bytes = await readReference(blobs, manifest, `${model} version ${number}`);
    try {
      const reference = kernels.openReference(bytes);
      return { model, version: number, digest, policy: driftPolicyOf(manifest), abi: kernels.abi, reference };
    } catch (cause) {
      const why = `the drift reference of ${model} version ${number} cannot be opened (${messageOf(cause)})`;
      throw new VedetteError("unsupported", `${why}: publish it again`, { cause });
    }
  }

  return {
    find(digest) {
      const known = open.get(digest) ?? load(digest);
      open.delete(digest);
      open.set(digest, known);
      known.catch(() => open.delete(digest)); // the caller hears of it; the next one tries again
      const [oldest] = open;
      if (open.size > mostOpen && oldest) {
        open.delete(oldest[0]);
        // Not freed here: someone may be at work with it. Its memory goes when nobody holds it.
      }
      return known;
    },
  };
}
