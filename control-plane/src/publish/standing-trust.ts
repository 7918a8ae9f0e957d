/** What stands, as the operator's own copies have it: from these, and never from the control plane's, the next is made. */
import { VedetteError } from "@vedette/protocol/errors";
import { requireRoot } from "./init-trust.ts";
import { listKeys } from "./offline-keys.ts";
import type { Draft, KeyRing } from "./settle.ts";
import { newestKept, readSigned } from "./signed-metadata.ts";
import type { SignedMetadata, TrustApi, TrustState } from "./trust-api.ts";
import { versionOf, withVersion } from "./trust-metadata.ts";

export interface StandingTrust {
  readonly state: TrustState;
  /** The text of a role at the version that the control plane serves. @throws VedetteError conflict, not_found. */
  current(role: string): Promise<string>;
  /** A draft that stands on what is. */
  draft(what: string, metadata: SignedMetadata[]): Promise<Draft>;
}

/** @throws VedetteError trust_not_initialised; not_found where there is no key at all here. */
export async function standingTrust(api: Pick<TrustApi, "trust">, ring: KeyRing): Promise<StandingTrust> {
  const state = requireRoot(await api.trust());
  if ((await listKeys(ring.folder, ring.passphrase)).length === 0) {
    throw new VedetteError(
      "not_found",
      `there is no key in ${ring.folder}: run this where the keys are kept, or copy them here (mode 0600)`,
    );
  }
  const current = async (role: string): Promise<string> => {
    const version = state.versions[role];
    if (version !== undefined) return readSigned(ring.folder, role, version);
    throw new VedetteError("not_found", `the site has no role ${role}: see vedette keys list`);
  };
  return {
    state,
    current,
    async draft(what, proposed) {
      const metadata = await Promise.all(proposed.map((each) => pastAllSigned(ring.folder, each)));
      const trusted = { root: await current("root"), targets: await current("targets") };
      return { format: "vedette.pending/1", site: state.site, what, metadata, trusted };
    },
  };
}

/**
 * A control plane that was restored from a backup serves older versions than were signed here and devices have seen: the next
 * one goes past those, or devices would refuse it. Roots go one by one, and devices follow no other way.
 */
async function pastAllSigned(folder: string, { role, text }: SignedMetadata): Promise<SignedMetadata> {
  const kept = role === "root" ? undefined : await newestKept(folder, role);
  const newest = kept === undefined ? 0 : versionOf(kept);
  return versionOf(text) > newest ? { role, text } : { role, text: withVersion(text, newest + 1) };
}
