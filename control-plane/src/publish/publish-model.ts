/**
 * `vedette model publish`: builds the bundle here, signs it with the project's release key, sends the blobs that the
 * control plane lacks and then the version. Publishing the same again changes nothing.
 */
import type { ModelVersion } from "@vedette/protocol/api";
import { utf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import { roleOf } from "@vedette/protocol/trust";
import { type BuildPorts, type Bundle, buildBundle } from "./build-bundle.ts";
import { requireRoot } from "./init-trust.ts";
import { readOrMakeModelKey, signModel } from "./model-signing.ts";
import { readOrMakeKey } from "./offline-keys.ts";
import { type ModelDescription, readSources } from "./read-sources.ts";
import { type BlobApi, sendBlobs } from "./send-blobs.ts";
import { type KeyRing, type SettleApi, type Standing, settle } from "./settle.ts";
import { type StandingTrust, standingTrust } from "./standing-trust.ts";
import type { SignedMetadata, TrustApi } from "./trust-api.ts";
import { addRelease, delegate, extensionOf } from "./trust-metadata.ts";

export interface PublishApi extends Pick<TrustApi, "trust">, SettleApi<ModelVersion>, BlobApi {
  /** All published versions of all models. */
  versions(): Promise<ModelVersion[]>;
}

export type Published =
  | {
      readonly outcome: "published" | "unchanged";
      readonly version: ModelVersion;
      /** Bytes of blobs that had to be sent. */
      readonly sentBytes: number;
      /** What was built; undefined where nothing had to be. */
      readonly bundle: Bundle | undefined;
    }
  /** Others have to sign the file before this is a version. */
  | {
      readonly outcome: "pending";
      readonly file: string;
      readonly standing: readonly Standing[];
      readonly sentBytes: number;
      readonly bundle: Bundle;
    };

/**
 * @throws VedetteError trust_not_initialised, and as `buildBundle`, `settle`, `readSigned` and the API do.
 */
export async function publishModel(
  what: ModelDescription,
  api: PublishApi,
  ring: KeyRing,
  ports: BuildPorts,
): Promise<Published> {
  requireRoot(await api.trust());
  const sources = await readSources(what, ports.kernels.abi);
  const alike = (await api.versions()).filter(
    (version) => version.model === what.name && version.lineage.recipe === sources.recipe,
  );
  const same = alike.length === 0 ? undefined : await firstUnrevoked(alike, api, ring);
  if (same) return { outcome: "unchanged", version: same, sentBytes: 0, bundle: undefined };

  const trust = await standingTrust(api, ring);
  const bundle = await buildBundle(what, sources, ports);
  const metadata = await listRelease(what.name, bundle, trust, ring, ports.now());
  const modelSignature = signModel(what.name, bundle.manifest.files, await readOrMakeModelKey(ring));
  const sentBytes = await sendBlobs(api, bundle);
  const publication = { model: what.name, manifest: bundle.text, modelSignature };
  const draft = { ...(await trust.draft(`publish ${what.name} ${bundle.digest}`, metadata)), publication };
  const settled = await settle(draft, ring, api);
  if (settled.outcome === "pending") return { ...settled, sentBytes, bundle };
  if (!settled.answer) throw new VedetteError("internal", "the control plane did not answer with the version");
  return { outcome: "published", version: settled.answer, sentBytes, bundle };
}

/** What was revoked may be published anew: as another version, since a floor never falls. */
async function firstUnrevoked(
  alike: readonly ModelVersion[],
  api: PublishApi,
  ring: KeyRing,
): Promise<ModelVersion | undefined> {
  const targets = await (await standingTrust(api, ring)).current("targets");
  return alike.find(({ model, version }) => version >= (extensionOf(targets).floors[model] ?? 0));
}

async function listRelease(
  model: string,
  bundle: Bundle,
  trust: StandingTrust,
  ring: KeyRing,
  now: number,
): Promise<SignedMetadata[]> {
  const role = roleOf(model);
  const manifest = { digest: bundle.digest, length: utf8(bundle.text).length };
  if (trust.state.versions[role] !== undefined) {
    return [{ role, text: addRelease(await trust.current(role), model, manifest, now) }];
  }
  const targets = await trust.current("targets");
  const release = await readOrMakeKey(ring.folder, `release-${model}`, ring.passphrase);
  return [
    { role: "targets", text: delegate(targets, model, { keys: [release], threshold: 1 }, now) },
    { role, text: addRelease(undefined, model, manifest, now) },
  ];
}
