/** `vedette keys list`: every role, who signs it, until when, and whether their key lies here. */
import { Metadata, MetadataKind } from "@tufjs/models";
import { renewWithin } from "@vedette/protocol/trust";
import { requireRoot } from "./init-trust.ts";
import { listKeys } from "./offline-keys.ts";
import type { KeyRing } from "./settle.ts";
import type { TrustApi } from "./trust-api.ts";
import { extensionOf, onlineKey, readAny, readRoot, readTargets, type Signers, signersIn } from "./trust-metadata.ts";

export interface ListedRole {
  readonly role: string;
  readonly version: number | null;
  /** ISO date-time; null where nothing expires. */
  readonly expires: string | null;
  /** Whether it is time to renew it, or too late. Online roles renew themselves. */
  readonly state: "ok" | "renew" | "expired";
  readonly threshold: number;
  readonly keys: readonly { readonly name: string; readonly keyid: string; readonly here: boolean }[];
}

/** As the control plane serves it. @param now UTC ms. @throws VedetteError trust_not_initialised. */
export async function listTrust(
  api: Pick<TrustApi, "trust" | "metadata">,
  ring: KeyRing,
  now: number,
): Promise<ListedRole[]> {
  const { versions, online } = requireRoot(await api.trust());
  const here = new Set((await listKeys(ring.folder, ring.passphrase)).map((key) => key.keyid));
  const text = async (role: string) => (await api.metadata(`${role}.json`)) ?? "";
  const [root, targets] = [await text("root"), await text("targets")];
  const row = (role: string, expires: string | null, signers: Signers | undefined, renews: boolean): ListedRole => {
    const left = expires === null ? Number.POSITIVE_INFINITY : Date.parse(expires) - now;
    return {
      role,
      version: versions[role] ?? null,
      expires,
      state: left <= 0 ? "expired" : !renews && left <= renewWithin(role) ? "renew" : "ok",
      threshold: signers?.threshold ?? 0,
      keys: (signers?.keys ?? []).map(({ name, keyid }) => ({ name, keyid, here: here.has(keyid) })),
    };
  };
  const rows: ListedRole[] = [];
  const byRoot = readRoot(root).signed;
  rows.push(row("root", byRoot.expires, signersIn(byRoot, "root"), false));
  if (targets === "") return rows;
  const byTargets = readTargets(targets, "targets").signed;
  rows.push(row("targets", byTargets.expires, signersIn(byRoot, "targets"), false));
  for (const role of Object.keys(byTargets.delegations?.roles ?? {}).sort()) {
    const project = await text(role);
    const expires = project === "" ? null : readAny(project).signed.expires;
    rows.push(row(role, expires, signersIn(byTargets, role), false));
  }
  const snapshot = Metadata.fromJSON(MetadataKind.Snapshot, JSON.parse(await text("snapshot")));
  const timestamp = Metadata.fromJSON(MetadataKind.Timestamp, JSON.parse(await text("timestamp")));
  rows.push(row("snapshot", snapshot.signed.expires, signersIn(byRoot, "snapshot"), true));
  rows.push(row("timestamp", timestamp.signed.expires, signersIn(byRoot, "timestamp"), true));
  const { director } = extensionOf(targets);
  const directors = Object.values(director.keys).map((key) => onlineKey("director", key));
  rows.push(row("director", null, { keys: directors, threshold: director.threshold }, true));
  if (!Object.values(director.keys).includes(online.director))
    rows.push(
      row("director (not named)", null, { keys: [onlineKey("director", online.director)], threshold: 0 }, true),
    );
  return rows;
}
