/**
 * `vedette model publish --propose`: builds the bundle and sends it, as publishing does, but signs no metadata: it says, by a key
 * of its own, that it wants this released. The project's signer (../signer) does the rest where it knows that key.
 */
import type { ModelVersion } from "@vedette/protocol/api";
import { VedetteError } from "@vedette/protocol/errors";
import { encodeProposal, type Release } from "@vedette/protocol/release-api";
import { type SignedText, signedBytes } from "@vedette/protocol/signed";
import { type BuildPorts, type Bundle, buildBundle } from "./build-bundle.ts";
import { requireRoot } from "./init-trust.ts";
import { readOrMakeModelKey, signModel } from "./model-signing.ts";
import { readOrMakeKey, writePublicKey } from "./offline-keys.ts";
import { type ModelDescription, readSources } from "./read-sources.ts";
import { type BlobApi, sendBlobs } from "./send-blobs.ts";
import type { KeyRing } from "./settle.ts";
import type { ModelSignature, TrustApi } from "./trust-api.ts";

export interface ProposeApi extends Pick<TrustApi, "trust">, BlobApi {
  versions(): Promise<ModelVersion[]>;
  propose(
    model: string,
    request: { manifest: string; modelSignature: ModelSignature; proposal: SignedText },
  ): Promise<Release>;
}
export type Proposed =
  | { readonly outcome: "unchanged"; readonly version: ModelVersion }
  | {
      readonly outcome: "proposed";
      readonly release: Release;
      readonly bundle: Bundle;
      readonly sentBytes: number;
      /** The key that proposed, and its public half as a file: a signer has to be told it. */
      readonly proposer: { readonly name: string; readonly publicKey: string; readonly file: string };
    };

/** @throws VedetteError trust_not_initialised, not_found (the model's first version), and as `buildBundle` and the API do. */
export async function proposeModel(
  what: ModelDescription,
  api: ProposeApi,
  ring: KeyRing,
  ports: BuildPorts,
): Promise<Proposed> {
  const { site } = requireRoot(await api.trust());
  const sources = await readSources(what, ports.kernels.abi);
  const published = (await api.versions()).filter(({ model }) => model === what.name);
  if (published.length === 0) {
    throw new VedetteError(
      "not_found",
      `there is no model ${what.name} yet: publish its first version without --propose, where the targets key lies`,
    );
  }
  const same = published.find(({ lineage, revoked }) => lineage.recipe === sources.recipe && !revoked);
  if (same) return { outcome: "unchanged", version: same };

  const bundle = await buildBundle(what, sources, ports);
  const key = await readOrMakeKey(ring.folder, `propose-${what.name}`, ring.passphrase);
  const file = await writePublicKey(ring.folder, key);
  const sentBytes = await sendBlobs(api, bundle);
  const at = new Date(ports.now()).toISOString();
  const { digest, manifest } = bundle;
  const payload = encodeProposal({ format: "vedette.proposal/1", site, model: what.name, digest, at });
  const release = await api.propose(what.name, {
    manifest: bundle.text,
    modelSignature: signModel(what.name, manifest.files, await readOrMakeModelKey(ring)),
    proposal: { payload, signatures: [{ keyid: key.keyid, sig: key.sign(signedBytes("proposal", payload)) }] },
  });
  const { name, publicKey } = key;
  return { outcome: "proposed", release, bundle, sentBytes, proposer: { name, publicKey, file } };
}
