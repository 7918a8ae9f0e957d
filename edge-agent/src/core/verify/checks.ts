/**
 * The decisions of the TUF client workflow (TUF specification 1.0, section 5), each named with its clause. They only
 * judge: reading, fetching and keeping are `tuf-client.ts`.
 */

import { utf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import type { Crypto } from "../ports.ts";
import type { Key, Kind, Metadata, MetaFile, Role } from "./metadata.ts";

/** Who has to sign: the keys that a delegator lists, and the role it gives them. */
export interface Delegation {
  readonly keys: ReadonlyMap<string, Key>;
  readonly role: Role;
}

/**
 * 5.3.4, 5.4.2, 5.5.3, 5.6.3: check for an arbitrary software attack. Counts distinct key material, so that one key
 * listed under two keyids counts once.
 * @throws VedetteError unsigned, bad_signature.
 */
export async function checkSignatures(crypto: Crypto, by: Delegation, metadata: Metadata<Kind>): Promise<void> {
  if (metadata.signatures.size === 0) {
    throw new VedetteError("unsigned", `${metadata.file} carries no signature: sign and publish it again`);
  }
  const good = new Set<string>();
  const unknown = new Set<string>();
  for (const keyid of by.role.keyids) {
    const key = by.keys.get(keyid);
    const signature = metadata.signatures.get(keyid);
    if (!key || !signature || good.has(materialOf(key))) continue;
    const verdict = await verifies(crypto, key, metadata.canonical, signature);
    if (verdict === undefined) unknown.add(`${key.keytype}/${key.scheme}`);
    if (verdict) good.add(materialOf(key));
  }
  if (good.size < by.role.threshold) {
    const but = unknown.size > 0 ? ` (keys of kinds unsupported here: ${[...unknown].join(", ")})` : "";
    throw new VedetteError(
      "bad_signature",
      `${metadata.file} has ${good.size} good signatures of ${by.role.threshold} needed${but}: it was not signed by this site`,
    );
  }
}

const materialOf = ({ keytype, keyval }: Key) =>
  keytype === "ed25519" ? keyval.public.toLowerCase() : keyval.public.trim();

/** Undefined for a kind of key that this platform does not verify. */
async function verifies(crypto: Crypto, key: Key, message: Uint8Array<ArrayBuffer>, signature: string) {
  if (!/^([0-9a-f]{2})+$/i.test(signature)) return false;
  if (key.keytype !== "ed25519") return crypto.verifyPem?.(key.scheme, key.keyval.public, message, signature);
  if (key.scheme !== "ed25519" || !/^[0-9a-f]{64}$/i.test(key.keyval.public) || signature.length !== 128) return false;
  return crypto.verify(key.keyval.public.toLowerCase(), message, signature.toLowerCase());
}

/** The delegation that a root makes to a top-level role. */
export function delegationOf(root: Metadata<"root">, kind: Kind): Delegation {
  return { keys: root.signed.keys, role: root.signed.roles[kind] };
}

/**
 * 5.3.4, 5.3.5: a new root is signed by the thresholds of the trusted root and of itself, and follows it by one.
 * @throws VedetteError unsigned, bad_signature, rollback, invalid_metadata.
 */
export async function checkNextRoot(crypto: Crypto, trusted: Metadata<"root">, next: Metadata<"root">): Promise<void> {
  await checkSignatures(crypto, delegationOf(trusted, "root"), next);
  await checkSignatures(crypto, delegationOf(next, "root"), next);
  checkVersion(next, trusted.signed.version + 1);
}

/** 5.3.10, 5.4.4, 5.5.6, 5.6.5: check for a freeze attack. @throws VedetteError expired. */
export function checkFresh(metadata: Metadata<Kind>, referenceTime: number): void {
  if (metadata.signed.expires > referenceTime) return;
  throw new VedetteError(
    "expired",
    `${metadata.file} expired at ${new Date(metadata.signed.expires).toISOString()}, and it is taken to be ` +
      `${new Date(referenceTime).toISOString()}: sign it anew, or set this device's clock`,
  );
}

/**
 * 5.4.3: check for a rollback attack. Answers whether the timestamp is newer; an equal version is no error and is
 * discarded (5.4.3.1), so that the trusted one, and its expiry, stay.
 * @throws VedetteError rollback.
 */
export function isNewerTimestamp(trusted: Metadata<"timestamp"> | undefined, next: Metadata<"timestamp">): boolean {
  if (!trusted) return true;
  checkNotBelow(next.file, next.signed.version, trusted.signed.version);
  if (next.signed.version === trusted.signed.version) return false;
  // 5.4.3.2: nor may the snapshot that it names go back.
  const named = next.signed.meta["snapshot.json"].version;
  checkNotBelow(`the snapshot in ${next.file}`, named, trusted.signed.meta["snapshot.json"].version);
  return true;
}

/**
 * 5.5.5: check for a rollback attack: every file of the trusted snapshot is still there, at the same version or higher.
 * @throws VedetteError rollback.
 */
export function checkSnapshotForward(trusted: Metadata<"snapshot"> | undefined, next: Metadata<"snapshot">): void {
  for (const [file, { version }] of trusted?.signed.meta ?? []) {
    checkNotBelow(`${file} in ${next.file}`, next.signed.meta.get(file)?.version ?? 0, version);
  }
}

/**
 * 5.5.4, 5.6.4, 5.3.5: the version is the very one named.
 * @throws VedetteError rollback (a lower one), invalid_metadata (a higher one: parts of two releases are mixed).
 */
export function checkVersion(metadata: Metadata<Kind>, named: number): void {
  checkNotBelow(metadata.file, metadata.signed.version, named);
  if (metadata.signed.version === named) return;
  throw new VedetteError(
    "invalid_metadata",
    `${metadata.file} has version ${metadata.signed.version} where ${named} is named: parts of two releases are mixed`,
  );
}

/**
 * 5.5.2, 5.6.2: length and hashes, where the naming metadata gives them.
 * @throws VedetteError length_mismatch, digest_mismatch.
 */
export async function checkBytes(crypto: Crypto, file: string, text: string, named: MetaFile): Promise<void> {
  const bytes = utf8(text);
  if (named.length !== undefined && bytes.length !== named.length) {
    throw new VedetteError("length_mismatch", `${file} has ${bytes.length} bytes where ${named.length} are signed`);
  }
  for (const algorithm of ["sha256", "sha512"] as const) {
    const signed = named.hashes?.[algorithm];
    if (signed === undefined) continue;
    const found = await crypto[algorithm]?.(bytes);
    if (found !== signed) {
      throw new VedetteError("digest_mismatch", `${file} has another ${algorithm} than the one signed`);
    }
  }
}

/** @throws VedetteError rollback. */
export function checkNotBelow(what: string, version: number, floor: number): void {
  if (version >= floor) return;
  throw new VedetteError("rollback", `${what} goes back to version ${version} from ${floor}: an old copy is refused`);
}
