/**
 * What the control plane accepts as signed by the operators: a pure step from one state of the TUF repository to the
 * next. Clauses are those of the TUF specification, 5.3 (root) and 5.6, 5.7 (targets); the devices check all of it again.
 */
import { type Key, Metadata, MetadataKind, type Root, type Targets } from "@tufjs/models";
import { utf8 } from "@vedette/protocol/bytes";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import {
  maxMetadataBytes,
  roleOf,
  type TargetsExtension,
  targetCustom,
  targetPath,
  targetsExtension,
  targetsExtensionField,
} from "@vedette/protocol/trust";
import type { MetadataRecord } from "../db/records.ts";
import type { NamedRole } from "./online-keys.ts";

interface Entry<T extends Root | Targets> {
  readonly record: MetadataRecord;
  readonly metadata: Metadata<T>;
}
export interface TrustState {
  readonly root?: Entry<Root>;
  readonly targets?: Entry<Targets> & { readonly extension: TargetsExtension };
  /** By role name. */
  readonly projects: ReadonlyMap<string, Entry<Targets>>;
}
export interface Submitted {
  readonly role: string;
  readonly text: string;
}
export interface Surroundings {
  /** UTC ms. */
  readonly now: number;
  /**
   * Public keys that the control plane can sign with, hex, those that wait included: metadata that names none of them
   * would end in a site that cannot speak.
   */
  readonly online: Readonly<Record<NamedRole, readonly string[]>>;
  /** Versions that may be targets, by digest: those published, and the one being published. */
  readonly versions: ReadonlyMap<string, { readonly model: string; readonly version: number; readonly length: number }>;
}

const noTrust: TrustState = { projects: new Map() };

/** The state that stored metadata make up. It was verified when it was put there. */
export function trustStateOf(records: readonly MetadataRecord[]): TrustState {
  let state = noTrust;
  for (const record of records) {
    if (record.role === "root") state = { ...state, root: rootEntry(record) };
    else if (record.role === "targets") state = { ...state, targets: targetsEntry(record) };
    else if (record.role.startsWith("project-")) {
      const projects = new Map(state.projects).set(record.role, projectEntry(record));
      state = { ...state, projects };
    }
  }
  return state;
}

/**
 * The state after metadata were put, in the order root, targets, projects.
 * @throws VedetteError unsigned, bad_signature, rollback, expired, invalid_metadata, too_large, trust_not_initialised,
 * conflict (a release number that is not the version's).
 */
export function advance(state: TrustState, submitted: readonly Submitted[], around: Surroundings): TrustState {
  const order = (role: string) => ["root", "targets"].indexOf(role) + 1 || 3;
  let next = state;
  for (const { role, text } of submitted.toSorted((a, b) => order(a.role) - order(b.role))) {
    const limit = role === "root" ? maxMetadataBytes.root : maxMetadataBytes.targets;
    const length = utf8(text).length;
    if (length > limit) throw new VedetteError("too_large", `the ${role} metadata has ${length} bytes, over ${limit}`);
    const draft = { role, text, version: 0, createdAt: around.now };
    if (role === "root") next = { ...next, root: admitRoot(next, draft, around) };
    else if (role === "targets") next = { ...next, targets: admitTargets(next, draft, around) };
    else next = { ...next, projects: new Map(next.projects).set(role, admitProject(next, draft, around)) };
  }
  checkWhole(next);
  return next;
}

function admitRoot(state: TrustState, draft: MetadataRecord, around: Surroundings): Entry<Root> {
  const entry = rootEntry(draft);
  const { signed } = entry.metadata;
  checkNext("root", signed.version, state.root?.metadata.signed.version);
  // 5.3.4: signed by the threshold of the root before, and of itself.
  if (state.root) verify(state.root.metadata, "root", entry.metadata);
  verify(entry.metadata, "root", entry.metadata);
  checkFresh("root", signed.expires, around.now);
  if (!signed.consistentSnapshot) throw invalid("root", "consistent_snapshot is not true");
  checkKeys("root", Object.values(signed.keys));
  for (const role of ["snapshot", "timestamp"] as const) {
    const named = keysOf(signed, role);
    if (!around.online[role].some((key) => named.includes(key)) || signed.roles[role]?.threshold !== 1) {
      throw invalid("root", `role ${role} does not name this control plane's key (GET /v1/trust) with threshold 1`);
    }
  }
  if (!signed.roles.targets) throw invalid("root", "there is no role targets");
  return entry;
}

function admitTargets(state: TrustState, draft: MetadataRecord, around: Surroundings) {
  if (!state.root) throw noRoot();
  const entry = targetsEntry(draft);
  const { signed } = entry.metadata;
  verify(state.root.metadata, "targets", entry.metadata);
  checkNext("targets", signed.version, state.targets?.metadata.signed.version);
  checkFresh("targets", signed.expires, around.now);
  const directors = Object.values(entry.extension.director.keys);
  if (!around.online.director.some((key) => directors.includes(key))) {
    throw invalid("targets", "its director keys do not name this control plane's director (GET /v1/trust)");
  }
  for (const [model, floor] of Object.entries(state.targets?.extension.floors ?? {})) {
    if ((entry.extension.floors[model] ?? 0) >= floor) continue;
    throw new VedetteError(
      "rollback",
      `the targets metadata lowers the floor of ${model} below ${floor}: floors only rise`,
    );
  }
  checkKeys("targets", Object.values(signed.delegations?.keys ?? {}));
  if (signed.delegations?.succinctRoles) throw invalid("targets", "succinct roles are not used here");
  for (const role of Object.values(signed.delegations?.roles ?? {})) {
    const model = role.name.replace(/^project-/, "");
    if (role.name !== roleOf(model) || role.paths?.length !== 1 || role.paths[0] !== `${model}/*`) {
      throw invalid("targets", `role ${role.name} is not project-<model> for the one path <model>/*`);
    }
  }
  return entry;
}

function admitProject(state: TrustState, draft: MetadataRecord, around: Surroundings): Entry<Targets> {
  if (!state.root || !state.targets) throw noRoot();
  const { role } = draft;
  if (!state.targets.metadata.signed.delegations?.roles?.[role]) {
    throw invalid(role, "the targets metadata delegates no such role: put targets that delegate it with it");
  }
  const entry = projectEntry(draft);
  const { signed } = entry.metadata;
  verify(state.targets.metadata, role, entry.metadata);
  checkNext(role, signed.version, state.projects.get(role)?.metadata.signed.version);
  checkFresh(role, signed.expires, around.now);
  if (signed.delegations) throw invalid(role, "a project delegates no further");
  for (const target of Object.values(signed.targets)) {
    const digest = target.hashes.sha256 ?? "";
    const custom = targetCustom.safeParse(target.custom);
    const version = around.versions.get(digest);
    if (
      !custom.success ||
      roleOf(custom.data.model) !== role ||
      target.path !== targetPath(custom.data.model, digest)
    ) {
      throw invalid(role, `target ${target.path} is not <model>/<sha256>.json with its model and release`);
    }
    if (!version || version.model !== custom.data.model || version.length !== target.length) {
      throw invalid(role, `target ${target.path} is no published version of ${target.length} bytes: publish it first`);
    }
    if (version.version !== custom.data.release) {
      throw new VedetteError(
        "conflict",
        `target ${target.path} is signed as release ${custom.data.release}, and is version ${version.version}: sign it anew`,
      );
    }
  }
  return entry;
}

/** What stands must verify as a whole: new keys above make everything below them wait for its new signature. */
function checkWhole(state: TrustState): void {
  if (state.root && state.targets) verify(state.root.metadata, "targets", state.targets.metadata);
  for (const [role, { metadata }] of state.projects) {
    if (state.targets?.metadata.signed.delegations?.roles?.[role]) verify(state.targets.metadata, role, metadata);
  }
}

function verify(by: Metadata<Root | Targets>, role: string, metadata: Metadata<Root | Targets>): void {
  if (Object.keys(metadata.signatures).length === 0) {
    throw new VedetteError("unsigned", `the ${role} metadata carries no signature: sign it with the ${role} key`);
  }
  try {
    by.verifyDelegate(role, metadata);
  } catch (cause) {
    throw new VedetteError("bad_signature", `the ${role} metadata does not verify: ${messageOf(cause)}`, { cause });
  }
}

/** Of a project's role: how many of its keys signed a text, and how many have to. */
export function signaturesOf(
  { targets }: TrustState,
  role: string,
  text?: string,
): { readonly good: number; readonly threshold: number } | undefined {
  const { roles, keys } = targets?.metadata.signed.delegations ?? {};
  const delegated = roles?.[role];
  if (!delegated || !keys) return undefined;
  const { threshold, keyIDs } = delegated;
  if (text === undefined) return { good: 0, threshold };
  const { metadata } = projectEntry({ role, text, version: 0, createdAt: 0 });
  const good = keyIDs.filter((id) => {
    try {
      keys[id]?.verifySignature(metadata);
      return keys[id] !== undefined;
    } catch {
      // Not signed by this one, or not well.
      return false;
    }
  });
  return { good: good.length, threshold };
}

/** Roots go one by one (5.3.3). Others only go up: after a restored backup, past what devices have seen since. */
function checkNext(role: string, version: number, current = 0): void {
  if (version === current + 1 || (role !== "root" && version > current)) return;
  throw new VedetteError("rollback", `the ${role} metadata is version ${version}; the next one here is ${current + 1}`);
}

function checkFresh(role: string, expires: string, now: number): void {
  if (Date.parse(expires) > now) return;
  throw new VedetteError("expired", `the ${role} metadata expired at ${expires}: sign it anew`);
}

/** One key under two ids would count twice against a threshold. */
function checkKeys(role: string, keys: readonly Key[]): void {
  for (const key of keys) {
    if (key.keyType !== "ed25519" || key.scheme !== "ed25519" || !/^[0-9a-f]{64}$/.test(key.keyVal.public ?? "")) {
      throw invalid(role, `key ${key.keyID} is not Ed25519 in hex`);
    }
  }
  if (new Set(keys.map((key) => key.keyVal.public)).size !== keys.length) {
    throw invalid(role, "one key stands under two ids");
  }
}

/** Public keys that a role of the root has, hex. */
function keysOf(root: Root, role: string): string[] {
  return root.roles[role]?.keyIDs.map((id) => root.keys[id]?.keyVal.public ?? "") ?? [];
}

/** Public keys that the signed metadata name for a role of the control plane, hex. */
export function namedKeys(state: TrustState, role: NamedRole): string[] {
  if (role === "director") return Object.values(state.targets?.extension.director.keys ?? {});
  return state.root ? keysOf(state.root.metadata.signed, role) : [];
}

function rootEntry(record: MetadataRecord): Entry<Root> {
  return entryOf(record, (json) => Metadata.fromJSON(MetadataKind.Root, json));
}

function projectEntry(record: MetadataRecord): Entry<Targets> {
  return entryOf(record, (json) => Metadata.fromJSON(MetadataKind.Targets, json));
}

function targetsEntry(record: MetadataRecord) {
  const entry = projectEntry(record);
  const field = entry.metadata.signed.unrecognizedFields[targetsExtensionField];
  const extension = targetsExtension.safeParse(field);
  if (!extension.success) throw invalid("targets", `its field ${targetsExtensionField} does not fit`, extension.error);
  return { ...entry, extension: extension.data };
}

/** The record gets its number from what was signed. */
function entryOf<T extends Root | Targets>(
  record: MetadataRecord,
  read: (json: Parameters<typeof Metadata.fromJSON>[1]) => Metadata<T>,
): Entry<T> {
  try {
    const metadata = read(JSON.parse(record.text));
    return { record: { ...record, version: metadata.signed.version }, metadata };
  } catch (cause) {
    throw invalid(record.role, messageOf(cause), cause);
  }
}

function invalid(role: string, why: string, cause?: unknown): VedetteError {
  return new VedetteError("invalid_metadata", `the ${role} metadata: ${why}`, { cause });
}

/** What to say where nobody has initialised the trust of the site. */
export function noRoot(): VedetteError {
  return new VedetteError("trust_not_initialised", "this site has no root of trust yet: run `vedette keys init` first");
}
