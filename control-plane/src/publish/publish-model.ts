/**
 * `vedette model publish`: builds the bundle here, signs it with the project's release key, sends the blobs that the
 * control plane lacks and then the version. Publishing the same again changes nothing.
 */
import type { ModelVersion } from "@vedette/protocol/api";
import { utf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import { roleOf } from "@vedette/protocol/trust";
import { type BuildPorts, type Bundle, buildBundle, type ModelDescription, readSources } from "./build-bundle.ts";
import type { SignedMetadata, TrustApi, TrustState } from "./init-trust.ts";
import { readKey, readOrMakeKey } from "./offline-keys.ts";
import { keepSigned, readSigned } from "./signed-metadata.ts";
import { addRelease, delegate } from "./trust-metadata.ts";

export interface PublishApi extends Pick<TrustApi, "trust"> {
  /** All published versions of all models. */
  versions(): Promise<ModelVersion[]>;
  missingBlobs(sha256: string[]): Promise<string[]>;
  putBlob(sha256: string, bytes: Uint8Array<ArrayBuffer>): Promise<void>;
  publish(model: string, manifest: string, metadata: SignedMetadata[]): Promise<ModelVersion>;
}

export interface Published {
  readonly outcome: "published" | "unchanged";
  readonly version: ModelVersion;
  /** Bytes of blobs that had to be sent. */
  readonly sentBytes: number;
  /** What was built; undefined where nothing had to be. */
  readonly bundle: Bundle | undefined;
}

/** Hashes in one question. */
const blobsPerQuery = 10_000;

/**
 * @param keys the folder of the offline keys.
 * @throws VedetteError trust_not_initialised, and as `buildBundle`, `readKey`, `readSigned` and the API do.
 */
export async function publishModel(
  what: ModelDescription,
  api: PublishApi,
  keys: string,
  ports: BuildPorts,
): Promise<Published> {
  const trust = await api.trust();
  if (trust.rootSha256 === null) {
    throw new VedetteError("trust_not_initialised", "the site has no root of trust yet: run `vedette keys init`");
  }
  const sources = await readSources(what, ports.kernels.abi);
  const same = (await api.versions()).find(
    (version) => version.model === what.name && version.lineage.recipe === sources.recipe,
  );
  if (same) return { outcome: "unchanged", version: same, sentBytes: 0, bundle: undefined };

  const bundle = await buildBundle(what, sources, ports);
  const metadata = await signRelease(what.name, bundle, trust, keys, ports.now());
  const sentBytes = await sendBlobs(api, bundle.blobs);
  for (const { role, text } of metadata) await keepSigned(keys, role, text);
  const version = await api.publish(what.name, bundle.text, metadata);
  return { outcome: "published", version, sentBytes, bundle };
}

async function signRelease(
  model: string,
  bundle: Bundle,
  trust: TrustState,
  keys: string,
  now: number,
): Promise<SignedMetadata[]> {
  const role = roleOf(model);
  const manifest = { digest: bundle.digest, length: utf8(bundle.text).length };
  const current = trust.versions[role];
  if (current !== undefined) {
    const key = await readKey(keys, `release-${model}`);
    return [{ role, text: addRelease(await readSigned(keys, role, current), model, manifest, key, now) }];
  }
  const targetsKey = await readKey(keys, "targets");
  const targets = await readSigned(keys, "targets", trust.versions.targets ?? 1);
  const key = await readOrMakeKey(keys, `release-${model}`);
  return [
    { role: "targets", text: delegate(targets, model, key, targetsKey, now) },
    { role, text: addRelease(undefined, model, manifest, key, now) },
  ];
}

async function sendBlobs(api: PublishApi, blobs: ReadonlyMap<string, Uint8Array<ArrayBuffer>>): Promise<number> {
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
  return sent;
}
