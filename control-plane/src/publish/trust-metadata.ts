/**
 * The TUF metadata that operators sign offline, on @tufjs/models: root, targets with Vedette's extension, and one role a
 * project. Pure: what stands and a moment in, the next text out, unsigned; `sign` adds the signatures.
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
  targetsExtension,
  targetsExtensionField,
} from "@vedette/protocol/trust";
import { keyidOf, type OfflineKey, type PublicKey } from "./offline-keys.ts";

/** The edition of TUF that @tufjs/models speaks. */
const specVersion = "1.0.31";
/** Field of a key in the metadata: who holds it, for people. */
const holderField = "x-vedette-holder";

export interface OnlineKeys {
  /** Public keys, hex. */
  readonly snapshot: string;
  readonly timestamp: string;
  readonly director: string;
}
/** Who signs a role, and how many of them it takes. */
export interface Signers {
  readonly keys: readonly PublicKey[];
  readonly threshold: number;
}

/** The first root: who signs what. @param now UTC ms. */
export function firstRoot(root: Signers, targets: Signers, online: OnlineKeys, now: number): string {
  const one = (name: "snapshot" | "timestamp"): Signers => ({ keys: [onlineKey(name, online[name])], threshold: 1 });
  return makeRoot(1, { root, targets, snapshot: one("snapshot"), timestamp: one("timestamp") }, now);
}

/** The next root, in which some roles have other signers. */
export function nextRoot(text: string, changes: Readonly<Record<string, Signers>>, now: number): string {
  const { signed } = readRoot(text);
  const roles = Object.fromEntries(Object.keys(signed.roles).map((name) => [name, signersOf(signed, name)]));
  return makeRoot(signed.version + 1, { ...roles, ...changes }, now);
}

function makeRoot(version: number, roles: Readonly<Record<string, Signers>>, now: number): string {
  const keys = Object.values(roles).flatMap((role) => role.keys);
  return unsigned(
    new Root({
      ...common(version, "root", now),
      keys: keyMap(keys),
      roles: Object.fromEntries(
        Object.entries(roles).map(([name, { keys: of, threshold }]) => [
          name,
          new Role({ keyIDs: of.map((key) => key.keyid), threshold }),
        ]),
      ),
      consistentSnapshot: true,
    }),
  );
}

/** The first targets: the director's key, and no project yet. @param now UTC ms. */
export function firstTargets(online: OnlineKeys, now: number): string {
  const signed = new Targets({
    ...common(1, "targets", now),
    targets: {},
    delegations: new Delegations({ keys: {}, roles: {} }),
    unrecognizedFields: { [targetsExtensionField]: { director: directorOf(online.director), floors: {} } },
  });
  return unsigned(signed);
}

/** The next targets, in which a project's release keys sign `<model>/*`. */
export function delegate(text: string, model: string, release: Signers, now: number): string {
  const { signed } = readTargets(text, "targets");
  const role = new DelegatedRole({
    name: roleOf(model),
    keyIDs: release.keys.map((key) => key.keyid),
    threshold: release.threshold,
    terminating: true,
    paths: [`${model}/*`],
  });
  const roles = { ...signed.delegations?.roles, [role.name]: role };
  const known = { ...signed.delegations?.keys, ...keyMap(release.keys) };
  // A key that no role has any more would look as if it still counted.
  const used = new Set(Object.values(roles).flatMap((one) => one.keyIDs));
  const keys = Object.fromEntries(Object.entries(known).filter(([id]) => used.has(id)));
  return nextTargets(signed, { delegations: new Delegations({ keys, roles }) }, now);
}

/** The next targets, in which a model's floor is raised. @throws VedetteError conflict where it is no lower already. */
export function raiseFloor(text: string, model: string, floor: number, now: number): string {
  const extension = extensionOf(text);
  const current = extension.floors[model] ?? 0;
  if (current >= floor) {
    throw new VedetteError(
      "conflict",
      `everything below version ${floor} of ${model} is revoked already (floor ${current})`,
    );
  }
  const { signed } = readTargets(text, "targets");
  return nextTargets(signed, { extension: { ...extension, floors: { ...extension.floors, [model]: floor } } }, now);
}

/** The next targets, in which only this key directs. */
export function replaceDirector(text: string, director: string, now: number): string {
  const { signed } = readTargets(text, "targets");
  return nextTargets(signed, { extension: { ...extensionOf(text), director: directorOf(director) } }, now);
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
  return unsigned(
    new Targets({
      ...common((before?.version ?? 0) + 1, "targets", now),
      targets: { ...before?.targets, [path]: target },
    }),
  );
}

/** A role as it stands, under the next version and with its whole life before it. */
export function renew(text: string, role: string, now: number): string {
  if (role === "root") return nextRoot(text, {}, now);
  return nextTargets(readTargets(text, role).signed, {}, now);
}

/** The text with the signatures of these keys added; one that is there already is made anew. */
export function sign(text: string, keys: readonly OfflineKey[]): string {
  const metadata = readAny(text);
  for (const key of keys) metadata.sign((bytes) => new Signature({ keyID: key.keyid, sig: key.sign(bytes) }));
  return JSON.stringify(metadata.toJSON());
}

/** Unsigned metadata under another version. */
export function withVersion(text: string, version: number): string {
  const json = JSON.parse(text) as { signed: { version: number }; signatures: unknown[] };
  return JSON.stringify({ ...json, signed: { ...json.signed, version }, signatures: [] });
}

/** The version that a metadata text says it is. */
export function versionOf(text: string): number {
  return (JSON.parse(text) as { signed: { version: number } }).signed.version;
}

/** What targets say beside TUF. @throws VedetteError invalid_metadata. */
export function extensionOf(text: string): TargetsExtension {
  const field = readTargets(text, "targets").signed.unrecognizedFields[targetsExtensionField];
  const parsed = targetsExtension.safeParse(field);
  if (parsed.success) return parsed.data;
  throw new VedetteError("invalid_metadata", `the targets metadata have no good field ${targetsExtensionField}`);
}

/** @throws VedetteError invalid_metadata. */
export function readRoot(text: string): Metadata<Root> {
  return readAs(MetadataKind.Root, text, "root") as Metadata<Root>;
}

/** @throws VedetteError invalid_metadata. */
export function readTargets(text: string, role: string): Metadata<Targets> {
  return readAs(MetadataKind.Targets, text, role) as Metadata<Targets>;
}

/** Root, targets or a project's role. @throws VedetteError invalid_metadata. */
export function readAny(text: string): Metadata<Root | Targets> {
  const { _type } = (JSON.parse(text) as { signed?: { _type?: string } }).signed ?? {};
  return _type === "root" ? readRoot(text) : readTargets(text, "targets");
}

/** The signers of a role of the root, or of a project in targets; undefined where it has none. */
export function signersIn(by: Root | Targets, role: string): Signers | undefined {
  const [keys, found] =
    by instanceof Root ? [by.keys, by.roles[role]] : [by.delegations?.keys ?? {}, by.delegations?.roles?.[role]];
  if (!found) return undefined;
  return {
    threshold: found.threshold,
    keys: found.keyIDs.map((keyid) => {
      const holder = keys[keyid]?.unrecognizedFields?.[holderField];
      return { keyid, publicKey: keys[keyid]?.keyVal.public ?? "", name: typeof holder === "string" ? holder : "-" };
    }),
  };
}

function signersOf(root: Root, role: string): Signers {
  return signersIn(root, role) ?? { keys: [], threshold: 1 };
}

function nextTargets(
  signed: Targets,
  changes: { delegations?: Delegations; extension?: TargetsExtension },
  now: number,
): string {
  const delegations = changes.delegations ?? signed.delegations;
  return unsigned(
    new Targets({
      ...common(signed.version + 1, "targets", now),
      targets: signed.targets,
      ...(delegations ? { delegations } : {}),
      unrecognizedFields: changes.extension
        ? { ...signed.unrecognizedFields, [targetsExtensionField]: { ...changes.extension } }
        : signed.unrecognizedFields,
    }),
  );
}

function common(version: number, role: "root" | "targets", now: number) {
  // TUF dates have no fractions of seconds.
  const expires = new Date(now + metadataLifetimes[role] * 1000).toISOString().replace(/\.[0-9]{3}Z$/, "Z");
  return { version, specVersion, expires };
}

function directorOf(publicKey: string): TargetsExtension["director"] {
  return { keys: { [keyidOf(publicKey)]: publicKey }, threshold: 1 };
}

/** A key of the control plane's, as the metadata name it. */
export function onlineKey(name: string, publicKey: string): PublicKey {
  return { name: `control-plane ${name}`, publicKey, keyid: keyidOf(publicKey) };
}

function keyMap(keys: readonly PublicKey[]): Record<string, Key> {
  return Object.fromEntries(
    keys.map(({ keyid, publicKey, name }) => [
      keyid,
      new Key({
        keyID: keyid,
        keyType: "ed25519",
        scheme: "ed25519",
        keyVal: { public: publicKey },
        unrecognizedFields: { [holderField]: name },
      }),
    ]),
  );
}

function unsigned(signed: Root | Targets): string {
  return JSON.stringify(new Metadata<Root | Targets>(signed).toJSON());
}

function readAs(kind: MetadataKind.Root | MetadataKind.Targets, text: string, role: string): Metadata<Root | Targets> {
  try {
    return kind === MetadataKind.Root
      ? Metadata.fromJSON(MetadataKind.Root, JSON.parse(text))
      : Metadata.fromJSON(MetadataKind.Targets, JSON.parse(text));
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
