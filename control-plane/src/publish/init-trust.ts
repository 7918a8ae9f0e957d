/** `vedette keys init`: gives a site its root of trust. */
import { VedetteError } from "@vedette/protocol/errors";
import { readOrMakeModelKey } from "./model-signing.ts";
import { type PublicKey, readOrMakeKey } from "./offline-keys.ts";
import { type KeyRing, type Settled, settle } from "./settle.ts";
import type { TrustApi, TrustState } from "./trust-api.ts";
import { firstRoot, firstTargets, type Signers } from "./trust-metadata.ts";

export interface FirstSigners {
  /** Who signs root and targets; undefined: a root and a targets key made here. */
  readonly keys?: readonly PublicKey[] | undefined;
  readonly threshold?: number | undefined;
}

/**
 * Makes the root and targets keys (or takes those an interrupted run left), or takes the operators' own; signs the first
 * metadata and puts them once enough have signed.
 * @param now UTC ms.
 * @returns the sha256 that enrolment tokens pin; and where the draft waits, should others have to sign.
 * @throws VedetteError conflict where the site has a root already; invalid_argument.
 */
export async function initTrust(
  api: Pick<TrustApi, "trust" | "putMetadata">,
  ring: KeyRing,
  now: number,
  { keys, threshold = 1 }: FirstSigners = {},
): Promise<{ site: string; rootSha256: string | null; settled: Settled<never> }> {
  const { site, online, rootSha256 } = await api.trust();
  if (rootSha256 !== null) {
    throw new VedetteError(
      "conflict",
      `site ${site} has a root of trust already (sha256 ${rootSha256}): devices hold on to it, so it is never made anew`,
    );
  }
  if (threshold > (keys?.length ?? 1)) {
    throw new VedetteError(
      "invalid_argument",
      `a threshold of ${threshold} takes at least ${threshold} keys: name them with --keys ada.pub,ben.pub`,
    );
  }
  const own = async (name: string): Promise<Signers> => ({
    keys: [await readOrMakeKey(ring.folder, name, ring.passphrase)],
    threshold: 1,
  });
  const root = keys ? { keys, threshold } : await own("root");
  const targets = keys ? { keys, threshold } : await own("targets");
  await readOrMakeModelKey(ring);
  const metadata = [
    { role: "root", text: firstRoot(root, targets, online, now) },
    { role: "targets", text: firstTargets(online, now) },
  ];
  const draft = {
    format: "vedette.pending/1" as const,
    site,
    what: `the first trust of site ${site}`,
    metadata,
    trusted: {},
  };
  const settled = await settle<never>(draft, ring, { ...api, publish: unpublished });
  return { site, rootSha256: settled.outcome === "put" ? await pinned(api) : null, settled };
}

/** Whatever is settled here publishes no version. */
export function unpublished(): Promise<never> {
  return Promise.reject(new VedetteError("internal", "a change of trust publishes no version"));
}

async function pinned(api: Pick<TrustApi, "trust">): Promise<string | null> {
  return (await api.trust()).rootSha256;
}

/** @throws VedetteError trust_not_initialised. */
export function requireRoot(trust: TrustState): TrustState & { readonly rootSha256: string } {
  if (trust.rootSha256 !== null) return { ...trust, rootSha256: trust.rootSha256 };
  throw new VedetteError("trust_not_initialised", "the site has no root of trust yet: run `vedette keys init`");
}
