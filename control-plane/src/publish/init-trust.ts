/** `vedette keys init` and `keys renew`: gives a site its root of trust, and keeps its signatures from running out. */
import type { trustState } from "@vedette/protocol/api";
import { VedetteError } from "@vedette/protocol/errors";
import type { z } from "zod";
import { sha256 } from "./chunk-file.ts";
import { readKey, readOrMakeKey } from "./offline-keys.ts";
import { keepSigned, readSigned } from "./signed-metadata.ts";
import { firstRoot, firstTargets, renew } from "./trust-metadata.ts";

export type TrustState = z.infer<typeof trustState>;
export interface SignedMetadata {
  readonly role: string;
  readonly text: string;
}
export interface TrustApi {
  trust(): Promise<TrustState>;
  putMetadata(metadata: SignedMetadata[]): Promise<void>;
}

/**
 * Makes the root and targets keys (or takes those an interrupted run left), signs the first metadata and puts them.
 * @param keys the folder of the offline keys.
 * @param now UTC ms.
 * @returns the sha256 that enrolment tokens pin.
 * @throws VedetteError conflict where the site has a root already.
 */
export async function initTrust(
  api: TrustApi,
  keys: string,
  now: number,
): Promise<{ site: string; rootSha256: string }> {
  const { site, online, rootSha256 } = await api.trust();
  if (rootSha256 !== null) {
    throw new VedetteError(
      "conflict",
      `site ${site} has a root of trust already (sha256 ${rootSha256}): devices hold on to it, so it is never made anew`,
    );
  }
  const rootKey = await readOrMakeKey(keys, "root");
  const targetsKey = await readOrMakeKey(keys, "targets");
  const root = firstRoot(rootKey, targetsKey, online, now);
  const metadata = [
    { role: "root", text: root },
    { role: "targets", text: firstTargets(targetsKey, online, now) },
  ];
  for (const { role, text } of metadata) await keepSigned(keys, role, text);
  await api.putMetadata(metadata);
  return { site, rootSha256: sha256(root) };
}

/** Most roles that one request may carry. */
const rolesPerRequest = 8;

/**
 * Signs targets and every project's role anew, so that they live for another full term.
 * @returns the roles and their new versions.
 * @throws VedetteError trust_not_initialised, not_found (a key is elsewhere), conflict (signed elsewhere).
 */
export async function renewTrust(api: TrustApi, keys: string, now: number): Promise<Record<string, number>> {
  const { versions, rootSha256 } = await api.trust();
  if (rootSha256 === null) {
    throw new VedetteError("trust_not_initialised", "the site has no root of trust yet: run `vedette keys init`");
  }
  const roles = Object.keys(versions).filter((role) => role === "targets" || role.startsWith("project-"));
  const metadata: SignedMetadata[] = [];
  for (const role of roles) {
    const key = await readKey(keys, role === "targets" ? "targets" : role.replace(/^project-/, "release-"));
    metadata.push({ role, text: renew(await readSigned(keys, role, versions[role] as number), key, now) });
  }
  for (const { role, text } of metadata) await keepSigned(keys, role, text);
  for (let at = 0; at < metadata.length; at += rolesPerRequest) {
    await api.putMetadata(metadata.slice(at, at + rolesPerRequest));
  }
  return Object.fromEntries(roles.map((role) => [role, (versions[role] as number) + 1]));
}
