/**
 * The decisions of the TUF client workflow (TUF specification 1.0, section 5), each named with its clause. They only
 * judge: reading, fetching and keeping are `trust-client.ts`.
 */
import type { Crypto } from "../../core/ports.ts";
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
export declare function checkSignatures(crypto: Crypto, by: Delegation, metadata: Metadata<Kind>): Promise<void>;
/** The delegation that a root makes to a top-level role. */
export declare function delegationOf(root: Metadata<"root">, kind: Kind): Delegation;
/**
 * 5.3.4, 5.3.5: a new root is signed by the thresholds of the trusted root and of itself, and follows it by one.
 * @throws VedetteError unsigned, bad_signature, rollback, invalid_metadata.
 */
export declare function checkNextRoot(crypto: Crypto, trusted: Metadata<"root">, next: Metadata<"root">): Promise<void>;
/** 5.3.10, 5.4.4, 5.5.6, 5.6.5: check for a freeze attack. @throws VedetteError expired. */
export declare function checkFresh(metadata: Metadata<Kind>, referenceTime: number): void;
/**
 * 5.4.3: check for a rollback attack. Answers whether the timestamp is newer; an equal version is no error and is
 * discarded (5.4.3.1), so that the trusted one, and its expiry, stay.
 * @throws VedetteError rollback.
 */
export declare function isNewerTimestamp(
  trusted: Metadata<"timestamp"> | undefined,
  next: Metadata<"timestamp">,
): boolean;
/**
 * 5.5.5: check for a rollback attack: every file of the trusted snapshot is still there, at the same version or higher.
 * @throws VedetteError rollback.
 */
export declare function checkSnapshotForward(
  trusted: Metadata<"snapshot"> | undefined,
  next: Metadata<"snapshot">,
): void;
/**
 * 5.5.4, 5.6.4, 5.3.5: the version is the very one named.
 * @throws VedetteError rollback (a lower one), invalid_metadata (a higher one: parts of two releases are mixed).
 */
export declare function checkVersion(metadata: Metadata<Kind>, named: number): void;
/**
 * 5.5.2, 5.6.2: length and sha256, where the naming metadata gives them.
 * @throws VedetteError length_mismatch, digest_mismatch.
 */
export declare function checkBytes(crypto: Crypto, file: string, text: string, named: MetaFile): Promise<void>;
