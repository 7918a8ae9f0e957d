/** `vedette keys renew`: keeps the operators' signatures from running out. */
import { renewWithin } from "@vedette/protocol/trust";
import { unpublished } from "./init-trust.ts";
import { type KeyRing, type Settled, settle } from "./settle.ts";
import { standingTrust } from "./standing-trust.ts";
import type { TrustApi } from "./trust-api.ts";
import { readAny, renew, versionOf } from "./trust-metadata.ts";

/**
 * Signs roles anew, so that they live for another full term: those named, else targets and every project's, and root
 * where its own end comes near.
 * @returns the roles and their new versions, and what became of them.
 * @throws VedetteError trust_not_initialised, not_found (a key is elsewhere), conflict (signed elsewhere).
 */
export async function renewTrust(
  api: Pick<TrustApi, "trust" | "putMetadata">,
  ring: KeyRing,
  now: number,
  named?: readonly string[],
): Promise<{ versions: Record<string, number>; settled: Settled<never> }> {
  const trust = await standingTrust(api, ring);
  const all = Object.keys(trust.state.versions).filter((role) => role === "targets" || role.startsWith("project-"));
  const ends = Date.parse(readAny(await trust.current("root")).signed.expires);
  const roles = named ?? [...(ends - now <= renewWithin("root") ? ["root"] : []), ...all];
  const metadata = [];
  for (const role of roles) metadata.push({ role, text: renew(await trust.current(role), role, now) });
  const draft = await trust.draft(`${roles.join(", ")} for another term`, metadata);
  const settled = await settle<never>(draft, ring, { ...api, publish: unpublished });
  const versions = Object.fromEntries(draft.metadata.map(({ role, text }) => [role, versionOf(text)]));
  return { versions, settled };
}
