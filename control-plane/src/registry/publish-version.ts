/** Publishing: everything a bundle names must be here and be what it says, before it becomes a version. */

import { createHash } from "node:crypto";
import { maxManifestBytes, parseManifest } from "@vedette/protocol/bundle";
import { utf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import type { ModelSignatureRecord, VersionRecord } from "../db/records.ts";
import type { BlobStore, Clock } from "../ports.ts";
import type { TrustRepository, VersionDraft } from "../release/trust-repository.ts";
import type { Submitted } from "../release/trust-state.ts";
import { checkFile } from "./bundle-files.ts";

export type PublishVersion = (request: {
  model: string;
  manifest: string;
  metadata: readonly Submitted[];
  actor: string;
  modelSignature?: ModelSignatureRecord | null;
}) => Promise<VersionRecord>;

/**
 * Publishes a manifest as the next version of its model; the same digest again answers the version there is.
 * @throws VedetteError invalid_manifest (does not parse, another model, files missing), not_found (chunks that were not
 * sent), digest_mismatch, length_mismatch, too_large, and what `TrustRepository.publish` throws.
 */
export function createPublishVersion(ports: {
  trust: TrustRepository;
  blobs: BlobStore;
  clock: Clock;
}): PublishVersion {
  const { trust, blobs, clock } = ports;
  return async ({ model, manifest, metadata, actor, modelSignature = null }) => {
    const draft = await checkBundle({ model, manifest, modelSignature, actor, now: clock.now() }, blobs);
    return trust.publish(draft, manifest, metadata);
  };
}

/**
 * A version before it has a number, of a manifest whose files are all here.
 * @throws VedetteError invalid_manifest, not_found, digest_mismatch, length_mismatch, too_large.
 */
export async function checkBundle(request: BundleRequest, blobs: Pick<BlobStore, "get">): Promise<VersionDraft> {
  const draft = versionDraft(request);
  for (const file of parseManifest(request.manifest).files) await checkFile(file, blobs);
  return draft;
}

export interface BundleRequest {
  readonly model: string;
  /** The very text that is hashed. */
  readonly manifest: string;
  readonly modelSignature: ModelSignatureRecord | null;
  readonly actor: string;
  /** UTC ms. */
  readonly now: number;
}

/** What a manifest's text says of its version. @throws VedetteError invalid_manifest, too_large. */
export function versionDraft({ model, manifest: text, modelSignature, actor, now }: BundleRequest): VersionDraft {
  const encoded = utf8(text);
  if (encoded.length > maxManifestBytes) {
    throw new VedetteError("too_large", `the manifest has ${encoded.length} bytes, over ${maxManifestBytes}`);
  }
  const manifest = parseManifest(text);
  if (manifest.model !== model) {
    throw new VedetteError("invalid_manifest", `the manifest is of model ${manifest.model}, and was sent to ${model}`);
  }
  return {
    model,
    digest: createHash("sha256").update(encoded).digest("hex"),
    length: encoded.length,
    bytes: manifest.files.reduce((sum, file) => sum + file.size, 0),
    task: manifest.output.task,
    createdAt: now,
    publishedBy: actor,
    requires: manifest.requires,
    lineage: manifest.lineage,
    modelSignature,
  };
}
