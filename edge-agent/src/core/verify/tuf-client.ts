/**
 * The client workflow of the TUF specification 1.0 (section 5), for Node, pages and the simulated fleet alike: reads and
 * keeps metadata in the Storage port, fetches by the function it is given; `checks.ts` judges. `trust-client.ts` reads in
 * the outcome what is Vedette's own.
 *
 * A later step never runs on what an earlier one did not accept, and every accepted file is kept at once, so that a
 * device that dies midway has lost nothing and gone back nowhere.
 */

import { fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import { maxMetadataBytes } from "@vedette/protocol/trust";
import type { Crypto, Storage } from "../ports.ts";
import {
  checkBytes,
  checkFresh,
  checkNextRoot,
  checkNotBelow,
  checkSignatures,
  checkSnapshotForward,
  checkVersion,
  type Delegation,
  delegationOf,
  isNewerTimestamp,
} from "./checks.ts";
import { rolesFor } from "./delegations.ts";
import { type Kind, type Metadata, parseMetadata, type Target, type Targets } from "./metadata.ts";
import { readVersions, refuseOlderSnapshot, type SeenVersions, stillCounting, versionsOf } from "./seen-versions.ts";

/** 5.3.3 and 5.6.7: an endless chain of roots or of delegations is an attack, not a repository. */
const maxRootRotations = 256;
const maxDelegations = 32;
const versionsFile = "versions.json";

interface TufClientOptions {
  readonly storage: Storage;
  readonly crypto: Crypto;
  /** The root metadata that enrolment pinned by its sha256 (5.2). */
  readonly pinnedRoot: string;
  /** Folder of the trusted metadata. */
  readonly folder: string;
}

/** What a refresh came to trust. */
export interface TrustedMetadata {
  /** The top-level targets role. */
  readonly targets: Targets;
  /** What the roles that may speak for a path say of it; undefined where none does. @throws VedetteError as `refreshMetadata`. */
  find(path: string): Promise<Target | undefined>;
}

/** What one update cycle works with; `referenceTime` is fixed for all of it (5.1). */
interface Cycle extends TufClientOptions {
  readonly fetch: (file: string) => Promise<string | undefined>;
  readonly referenceTime: number;
}

/**
 * One update cycle: root, timestamp, snapshot, targets.
 * @param cycle.fetch a file name to its text; undefined where there is none.
 * @param cycle.referenceTime UTC ms that expiry is judged by.
 * @throws VedetteError unsigned, bad_signature, expired, rollback, invalid_metadata, length_mismatch, digest_mismatch;
 * storage_failed where the device's own record of what it has seen is beyond use. What was trusted before stays.
 */
export async function refreshMetadata(cycle: Cycle): Promise<TrustedMetadata> {
  const root = await updateRoot(cycle);
  const local = await loadTimestampAndSnapshot(cycle, root);
  const seenText = await readLocal(cycle, versionsFile);
  const seen = stillCounting(readVersions(seenText, local.timestamp !== undefined), root);
  const timestamp = await updateTimestamp(cycle, root, local.timestamp, seen);
  const snapshot = await updateSnapshot(cycle, root, timestamp, local.snapshot, seen);
  const targets = await updateTargets(cycle, root, snapshot, "targets", delegationOf(root, "targets"));
  const versions = JSON.stringify(versionsOf(root, timestamp, snapshot));
  // Spares the flash: most refreshes change nothing.
  if (versions !== seenText) await keep(cycle, versionsFile, versions);
  return { targets: targets.signed, find: (path) => findTarget(cycle, { root, snapshot, targets }, path) };
}

/** 5.2 and 5.3: from the trusted root to the newest, one signed step at a time. */
async function updateRoot(cycle: Cycle): Promise<Metadata<"root">> {
  let root = (await readKept(cycle, "root")) ?? parseMetadata("root", "root.json", cycle.pinnedRoot);
  // Also the pinned root must be signed by itself: a torn or foreign one would trust anyone.
  await checkSignatures(cycle.crypto, delegationOf(root, "root"), root);
  for (let steps = 0; ; steps++) {
    const file = `${root.signed.version + 1}.root.json`;
    const text = await fetchText(cycle, file, maxMetadataBytes.root);
    if (text === undefined) break; // 5.3.3: no newer root
    if (steps >= maxRootRotations) {
      throw new VedetteError(
        "invalid_metadata",
        `over ${maxRootRotations} new roots at once: no site rotates so often`,
      );
    }
    const next = parseMetadata("root", file, text);
    await checkNextRoot(cycle.crypto, root, next); // 5.3.4, 5.3.5
    await keep(cycle, "root.json", text); // 5.3.8
    root = next;
  }
  checkFresh(root, cycle.referenceTime); // 5.3.10
  return root;
}

/**
 * What this device trusted before. 5.3.11: where the root has since rotated the keys of either, both are forgotten, so
 * that a site recovers from versions run far ahead by a stolen online key.
 */
async function loadTimestampAndSnapshot(
  cycle: Cycle,
  root: Metadata<"root">,
): Promise<{ timestamp?: Metadata<"timestamp">; snapshot?: Metadata<"snapshot"> }> {
  const timestamp = await readKept(cycle, "timestamp");
  const snapshot = await readKept(cycle, "snapshot");
  try {
    if (timestamp) await checkSignatures(cycle.crypto, delegationOf(root, "timestamp"), timestamp);
    if (snapshot) await checkSignatures(cycle.crypto, delegationOf(root, "snapshot"), snapshot);
  } catch (error) {
    if (!(error instanceof VedetteError) || error.code !== "bad_signature") throw error;
    await cycle.storage.remove(`${cycle.folder}/timestamp.json`);
    await cycle.storage.remove(`${cycle.folder}/snapshot.json`);
    return {};
  }
  return { ...(timestamp && { timestamp }), ...(snapshot && { snapshot }) };
}

/** 5.4: the newest timestamp; the trusted one where it is already the newest. */
async function updateTimestamp(
  cycle: Cycle,
  root: Metadata<"root">,
  trusted: Metadata<"timestamp"> | undefined,
  seen: SeenVersions | undefined,
): Promise<Metadata<"timestamp">> {
  const text = await fetchRequired(cycle, "timestamp.json", maxMetadataBytes.timestamp); // 5.4.1
  const next = parseMetadata("timestamp", "timestamp.json", text);
  await checkSignatures(cycle.crypto, delegationOf(root, "timestamp"), next); // 5.4.2
  const newer = isNewerTimestamp(trusted, next); // 5.4.3
  checkNotBelow(next.file, next.signed.version, seen?.timestamp ?? 0);
  const timestamp = newer || !trusted ? next : trusted;
  checkFresh(timestamp, cycle.referenceTime); // 5.4.4, of an equal version too
  if (newer) await keep(cycle, "timestamp.json", text); // 5.4.5
  return timestamp;
}

/** 5.5: the very snapshot that the timestamp names. */
async function updateSnapshot(
  cycle: Cycle,
  root: Metadata<"root">,
  timestamp: Metadata<"timestamp">,
  trusted: Metadata<"snapshot"> | undefined,
  seen: SeenVersions | undefined,
): Promise<Metadata<"snapshot">> {
  const named = timestamp.signed.meta["snapshot.json"];
  const check = async (text: string): Promise<Metadata<"snapshot">> => {
    await checkBytes(cycle.crypto, "snapshot.json", text, named); // 5.5.2
    const next = parseMetadata("snapshot", "snapshot.json", text);
    await checkSignatures(cycle.crypto, delegationOf(root, "snapshot"), next); // 5.5.3
    checkVersion(next, named.version); // 5.5.4
    checkSnapshotForward(trusted, next); // 5.5.5
    refuseOlderSnapshot(seen, next);
    checkFresh(next, cycle.referenceTime); // 5.5.6
    return next;
  };
  const kept = trusted && (await acceptedOrNothing(() => check(trusted.text)));
  if (kept) return kept;
  const file = numbered(root, "snapshot.json", named.version);
  const next = await check(await fetchRequired(cycle, file, named.length ?? maxMetadataBytes.snapshot)); // 5.5.1
  await keep(cycle, "snapshot.json", next.text); // 5.5.7
  return next;
}

/**
 * 5.6.1–5.6.6: one targets role, top-level or delegated, always judged by the delegator that asks now: what was kept
 * under another delegator, or under keys since replaced, counts for nothing.
 */
async function updateTargets(
  cycle: Cycle,
  root: Metadata<"root">,
  snapshot: Metadata<"snapshot">,
  name: string,
  delegation: Delegation,
): Promise<Metadata<"targets">> {
  const named = snapshot.signed.meta.get(`${name}.json`);
  if (!named) throw new VedetteError("invalid_metadata", `the snapshot names no ${name}.json: publish it again`);
  const file = numbered(root, `${encodeURIComponent(name)}.json`, named.version);
  const check = async (text: string): Promise<Metadata<"targets">> => {
    await checkBytes(cycle.crypto, file, text, named); // 5.6.2
    const next = parseMetadata("targets", file, text);
    await checkSignatures(cycle.crypto, delegation, next); // 5.6.3
    checkVersion(next, named.version); // 5.6.4
    checkFresh(next, cycle.referenceTime); // 5.6.5
    return next;
  };
  // Kept by the hash of its name, which is the only part of a path that a repository chooses.
  const local = name === "targets" ? "targets.json" : `role-${await cycle.crypto.sha256(utf8(name))}.json`;
  const keptText = await readLocal(cycle, local);
  const kept = keptText && (await acceptedOrNothing(() => check(keptText)));
  if (kept) return kept;
  const next = await check(await fetchRequired(cycle, file, named.length ?? maxMetadataBytes.targets)); // 5.6.1
  await keep(cycle, local, next.text); // 5.6.6
  return next;
}

interface TrustedSet {
  readonly root: Metadata<"root">;
  readonly snapshot: Metadata<"snapshot">;
  readonly targets: Metadata<"targets">;
}

/** 5.6.7: preorder depth-first search of the delegations, in their order of trust. */
async function findTarget(
  cycle: Cycle,
  { root, snapshot, targets }: TrustedSet,
  path: string,
): Promise<Target | undefined> {
  const visited = new Set<string>();
  let pending: { name: string; load: () => Promise<Metadata<"targets">> }[] = [
    { name: "targets", load: async () => targets },
  ];
  for (let next = pending.shift(); next; next = pending.shift()) {
    if (visited.has(next.name)) continue; // 5.6.7.1: no role twice, so no cycles
    if (visited.size >= maxDelegations) {
      throw new VedetteError("invalid_metadata", `over ${maxDelegations} delegated roles to ask for ${path}`);
    }
    visited.add(next.name);
    const { signed } = await next.load();
    const target = signed.targets.get(path);
    if (target) return target;
    const { keys, roles } = signed.delegations ?? { keys: new Map(), roles: [] };
    const asked = await rolesFor(cycle.crypto, roles, path);
    const children = asked.roles.map((role) => ({
      name: role.name,
      load: () => updateTargets(cycle, root, snapshot, role.name, { keys, role }),
    }));
    pending = asked.terminated ? children : [...children, ...pending]; // 5.6.7.2
  }
  return undefined;
}

/** Section 6.2: with consistent snapshots the version stands before the name. */
function numbered(root: Metadata<"root">, file: string, version: number): string {
  return root.signed.consistent_snapshot ? `${version}.${file}` : file;
}

/** What was kept is only a saving of one fetch: where it is refused, for whatever fault of its own, the fetched copy is judged instead. */
async function acceptedOrNothing<T>(check: () => Promise<T>): Promise<T | undefined> {
  try {
    return await check();
  } catch (error) {
    if (error instanceof VedetteError) return undefined;
    throw error;
  }
}

/** What was accepted before; a damaged file is as good as none, since the versions seen are kept apart. */
async function readKept<K extends Kind>(cycle: Cycle, kind: K): Promise<Metadata<K> | undefined> {
  const file = `${kind}.json`;
  const text = await readLocal(cycle, file);
  return text === undefined ? undefined : acceptedOrNothing(async () => parseMetadata(kind, file, text));
}

async function readLocal(cycle: Cycle, file: string): Promise<string | undefined> {
  const bytes = await cycle.storage.read(`${cycle.folder}/${file}`);
  return bytes && fromUtf8(bytes);
}

async function keep(cycle: Cycle, file: string, text: string): Promise<void> {
  await cycle.storage.write(`${cycle.folder}/${file}`, utf8(text));
}

/** 5.3.3, 5.4.1, 5.5.1, 5.6.1: no more bytes than allowed. @throws VedetteError length_mismatch. */
async function fetchText(cycle: Cycle, file: string, maxBytes: number): Promise<string | undefined> {
  const text = await cycle.fetch(file);
  if (text !== undefined && (text.length > maxBytes || utf8(text).length > maxBytes)) {
    throw new VedetteError("length_mismatch", `${file} is longer than ${maxBytes} bytes: it is not read`);
  }
  return text;
}

async function fetchRequired(cycle: Cycle, file: string, maxBytes: number): Promise<string> {
  const text = await fetchText(cycle, file, maxBytes);
  if (text !== undefined) return text;
  throw new VedetteError("invalid_metadata", `the site has no ${file}: publish its metadata again`);
}
