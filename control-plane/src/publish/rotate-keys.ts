/** `vedette keys rotate`: other keys for a role. Devices follow by what is signed, and are not touched. */
import { VedetteError } from "@vedette/protocol/errors";
import { roleOf } from "@vedette/protocol/trust";
import { unpublished } from "./init-trust.ts";
import { listKeys, makeKey, type PublicKey } from "./offline-keys.ts";
import { type KeyRing, type Settled, settle } from "./settle.ts";
import { type StandingTrust, standingTrust } from "./standing-trust.ts";
import type { SignedMetadata, TrustApi } from "./trust-api.ts";
import {
  delegate,
  nextRoot,
  onlineKey,
  readRoot,
  readTargets,
  renew,
  replaceDirector,
  type Signers,
  signersIn,
} from "./trust-metadata.ts";

export type RotatedRole =
  | "root"
  | "targets"
  | "project"
  | "snapshot"
  | "timestamp"
  | "director"
  | "device-tokens"
  | "gate";
export interface Rotation {
  readonly role: RotatedRole;
  /** Where the role is a project's. */
  readonly model?: string | undefined;
  /** Public keys to add, and names or ids of those to drop; without either, keys that lie here are replaced. */
  readonly add?: readonly PublicKey[] | undefined;
  readonly remove?: readonly string[] | undefined;
  readonly threshold?: number | undefined;
}
export interface Rotated {
  readonly role: string;
  readonly before: Signers | null;
  readonly after: Signers | null;
  /** Null: nothing had to be signed. */
  readonly settled: Settled<never> | null;
}

/**
 * @param now UTC ms.
 * @throws VedetteError not_found (no such role, or no key of it here), invalid_argument, and as `settle` does.
 */
export async function rotateKeys(rotation: Rotation, api: TrustApi, ring: KeyRing, now: number): Promise<Rotated> {
  const { role } = rotation;
  if (role === "device-tokens" || role === "gate") {
    await api.rotateOnlineKey(role);
    return { role, before: null, after: null, settled: null };
  }
  const trust = await standingTrust(api, ring);
  const { name, before, after, metadata } =
    role === "snapshot" || role === "timestamp" || role === "director"
      ? await rotateOnline(role, trust, api, now)
      : await rotateOffline(rotation, trust, ring, now);
  const draft = await trust.draft(`other keys for ${name}: ${after.keys.map((key) => key.name).join(", ")}`, metadata);
  const settled = await settle<never>(draft, ring, { ...api, publish: unpublished });
  return { role: name, before, after, settled };
}

interface Change {
  readonly name: string;
  readonly before: Signers;
  readonly after: Signers;
  readonly metadata: SignedMetadata[];
}

/** The control plane makes the key; the operators' signature makes it count. */
async function rotateOnline(
  role: "snapshot" | "timestamp" | "director",
  trust: StandingTrust,
  api: TrustApi,
  now: number,
): Promise<Change> {
  const [root, targets] = [await trust.current("root"), await trust.current("targets")];
  const made = (await api.rotateOnlineKey(role)).next?.[role];
  if (made === undefined) throw new VedetteError("internal", `the control plane made no next ${role} key`);
  const before = { keys: [onlineKey(role, trust.state.online[role])], threshold: 1 };
  const after = { keys: [onlineKey(role, made)], threshold: 1 };
  const metadata =
    role === "director"
      ? [{ role: "targets", text: replaceDirector(targets, made, now) }]
      : [{ role: "root", text: nextRoot(root, { [role]: after }, now) }];
  return { name: role, before, after, metadata };
}

async function rotateOffline(rotation: Rotation, trust: StandingTrust, ring: KeyRing, now: number): Promise<Change> {
  const [root, targets] = [await trust.current("root"), await trust.current("targets")];
  const { model } = rotation;
  if ((rotation.role === "project") !== (model !== undefined)) {
    throw new VedetteError(
      "invalid_argument",
      "--role project needs --model, and only it: whose release keys are they?",
    );
  }
  const name = model === undefined ? rotation.role : roleOf(model);
  const by = model === undefined ? readRoot(root).signed : readTargets(targets, "targets").signed;
  const before = signersIn(by, name);
  if (!before) throw new VedetteError("not_found", `the site has no role ${name}: see vedette keys list`);
  const after = await changed(before, rotation, ring);
  if (model !== undefined) {
    return {
      name,
      before,
      after,
      metadata: [
        { role: "targets", text: delegate(targets, model, after, now) },
        { role: name, text: renew(await trust.current(name), name, now) },
      ],
    };
  }
  const next = { role: "root", text: nextRoot(root, { [name]: after }, now) };
  // What new keys stand for has to be signed by them, or no device would believe it any more.
  const signedByIt = name === "targets" ? [{ role: "targets", text: renew(targets, "targets", now) }] : [];
  return { name, before, after, metadata: [next, ...signedByIt] };
}

async function changed(before: Signers, rotation: Rotation, ring: KeyRing): Promise<Signers> {
  const { add = [], remove = [], threshold = before.threshold } = rotation;
  const named = (key: PublicKey) =>
    remove.some((one) => key.name === one || (one.length >= 8 && key.keyid.startsWith(one)));
  const unknown = remove.find((one) => !before.keys.some((key) => key.name === one || key.keyid.startsWith(one)));
  if (unknown !== undefined) {
    throw new VedetteError("not_found", `nobody called ${unknown} signs this: see vedette keys list`);
  }
  const replace = add.length === 0 && remove.length === 0 && rotation.threshold === undefined;
  const kept = replace ? await replacedHere(before.keys, ring) : before.keys.filter((key) => !named(key));
  const keys = [...kept, ...add.filter((key) => !kept.some((one) => one.keyid === key.keyid))];
  if (threshold < 1 || threshold > keys.length) {
    throw new VedetteError("invalid_argument", `${keys.length} keys cannot meet a threshold of ${threshold}`);
  }
  return { keys, threshold };
}

/** Every key that lies here gives way to a new one; those of others stay. */
async function replacedHere(keys: readonly PublicKey[], ring: KeyRing): Promise<PublicKey[]> {
  const here = await listKeys(ring.folder, ring.passphrase);
  const names = new Set(here.map((key) => key.name));
  const replaced: PublicKey[] = [];
  for (const key of keys) {
    const file = here.find((one) => one.keyid === key.keyid);
    if (!file) {
      replaced.push(key);
      continue;
    }
    const base = file.name.replace(/-[0-9]+$/, "");
    let number = 2;
    while (names.has(`${base}-${number}`)) number++;
    names.add(`${base}-${number}`);
    replaced.push(await makeKey(ring.folder, `${base}-${number}`, ring.passphrase));
  }
  if (replaced.some((key, i) => key !== keys[i])) return replaced;
  throw new VedetteError(
    "not_found",
    `none of these keys lies in ${ring.folder}: name the new ones with --add, and who goes with --remove`,
  );
}
