/**
 * The TUF metadata that operators sign offline, on @tufjs/models: root, targets with Vedette's extension, and one role a
 * project. Pure: keys and a moment in, signed texts out.
 */
import { Key, Metadata, MetadataKind, Root, Signature, TargetFile, Targets } from "@tufjs/models";
import { Delegations } from "@tufjs/models/dist/delegations.js";
import { DelegatedRole, Role } from "@tufjs/models/dist/role.js";
import { VedetteError } from "@vedette/protocol/errors";
import {
  metadataLifetimes,
  roleOf,
  type TargetsExtension,
  targetCustom,
  targetPath,
  targetsExtensionField,
} from "@vedette/protocol/trust";
import { keyidOf, type OfflineKey } from "./offline-keys.ts";

/** The edition of TUF that @tufjs/models speaks. */
const specVersion = "1.0.31";

export interface OnlineKeys {
  /** Public keys, hex. */
  readonly snapshot: string;
  readonly timestamp: string;
  readonly director: string;
}

/** The first root: who signs what, each role with a threshold of one. @param now UTC ms. */
export function firstRoot(root: OfflineKey, targets: OfflineKey, online: OnlineKeys, now: number): string {
  const roles = {
    root: root.publicKey,
    targets: targets.publicKey,
    snapshot: online.snapshot,
    timestamp: online.timestamp,
  };
  const signed = new Root({
    ...common(1, "root", now),
    keys: Object.fromEntries(Object.values(roles).map((key) => [keyidOf(key), tufKey(key)])),
    roles: Object.fromEntries(
      Object.entries(roles).map(([name, key]) => [name, new Role({ keyIDs: [keyidOf(key)], threshold: 1 })]),
    ),
    consistentSnapshot: true,
  });
  return seal(signed, root);
}

/** The first targets: the director's key, and no project yet. @param now UTC ms. */
export function firstTargets(targets: OfflineKey, online: OnlineKeys, now: number): string {
  const extension: TargetsExtension = {
    director: { keys: { [keyidOf(online.director)]: online.director }, threshold: 1 },
    floors: {},
  };
  const signed = new Targets({
    ...common(1, "targets", now),
    targets: {},
    delegations: new Delegations({ keys: {}, roles: {} }),
    unrecognizedFields: { [targetsExtensionField]: { ...extension } },
  });
  return seal(signed, targets);
}

/** The next targets, in which a project's release key signs `<model>/*`. */
export function delegate(text: string, model: string, release: OfflineKey, targets: OfflineKey, now: number): string {
  const { signed } = readTargets(text, "targets");
  const role = new DelegatedRole({
    name: roleOf(model),
    keyIDs: [release.keyid],
    threshold: 1,
    terminating: true,
    paths: [`${model}/*`],
  });
  const delegations = new Delegations({
    keys: { ...signed.delegations?.keys, [release.keyid]: tufKey(release.publicKey) },
    roles: { ...signed.delegations?.roles, [role.name]: role },
  });
  const next = new Targets({
    ...common(signed.version + 1, "targets", now),
    targets: signed.targets,
    delegations,
    unrecognizedFields: signed.unrecognizedFields,
  });
  return seal(next, targets);
}

/**
 * The project's next role, which lists one manifest more.
 * @param text the role as it stands; undefined for the first release.
 * @param manifest its digest and its length in bytes.
 */
export function addRelease(
  text: string | undefined,
  model: string,
  manifest: { readonly digest: string; readonly length: number },
  release: OfflineKey,
  now: number,
): string {
  const before = text === undefined ? undefined : readTargets(text, roleOf(model)).signed;
  const number = Math.max(0, ...Object.values(before?.targets ?? {}).map(releaseOf)) + 1;
  const path = targetPath(model, manifest.digest);
  const target = new TargetFile({
    path,
    length: manifest.length,
    hashes: { sha256: manifest.digest },
    unrecognizedFields: { custom: { model, release: number } },
  });
  const next = new Targets({
    ...common((before?.version ?? 0) + 1, "targets", now),
    targets: { ...before?.targets, [path]: target },
  });
  return seal(next, release);
}

/** Targets or a project's role as it stands, under the next version and with its whole life before it. */
export function renew(text: string, key: OfflineKey, now: number): string {
  const { signed } = readTargets(text, "targets");
  const next = new Targets({
    ...common(signed.version + 1, "targets", now),
    targets: signed.targets,
    ...(signed.delegations ? { delegations: signed.delegations } : {}),
    unrecognizedFields: signed.unrecognizedFields,
  });
  return seal(next, key);
}

/** The version that a metadata text says it is. */
export function versionOf(text: string): number {
  return (JSON.parse(text) as { signed: { version: number } }).signed.version;
}

function common(version: number, role: "root" | "targets", now: number) {
  // TUF dates have no fractions of seconds.
  const expires = new Date(now + metadataLifetimes[role] * 1000).toISOString().replace(/\.[0-9]{3}Z$/, "Z");
  return { version, specVersion, expires };
}

function tufKey(publicKey: string): Key {
  return new Key({
    keyID: keyidOf(publicKey),
    keyType: "ed25519",
    scheme: "ed25519",
    keyVal: { public: publicKey },
  });
}

function seal(signed: Root | Targets, key: OfflineKey): string {
  const metadata = new Metadata<Root | Targets>(signed);
  metadata.sign((bytes) => new Signature({ keyID: key.keyid, sig: key.sign(bytes) }));
  return JSON.stringify(metadata.toJSON());
}

function readTargets(text: string, role: string): Metadata<Targets> {
  try {
    return Metadata.fromJSON(MetadataKind.Targets, JSON.parse(text));
  } catch (cause) {
    throw new VedetteError(
      "invalid_metadata",
      `the kept metadata of ${role} cannot be read: restore keys/metadata from a copy`,
      { cause },
    );
  }
}

function releaseOf(target: TargetFile): number {
  return targetCustom.parse(target.custom).release;
}
