/**
 * The highest versions of trust metadata a device has seen, kept apart from the metadata itself. Keys of the online roles
 * stand beside them: a root that replaces those keys ends the counting, or a thief of one could block a site for ever by
 * signing an enormous version (TUF 5.3.11, recovery from fast-forward).
 */

import type { Metadata, Root, Snapshot, Targets, Timestamp } from "@tufjs/models";
import { VedetteError } from "@vedette/protocol/errors";
import { z } from "zod";

const seenVersions = z.object({
  root: z.int().min(0),
  timestamp: z.int().min(0),
  snapshot: z.int().min(0),
  /** Of targets and each delegated role, as the snapshot says: by role. */
  targets: z.record(z.string(), z.int().min(0)),
  /** Sorted key ids of the roles timestamp and snapshot. */
  onlineKeys: z.array(z.string()),
});
export type SeenVersions = z.infer<typeof seenVersions>;

/** What tuf-js's Updater trusts, as far as this client looks at it. */
export interface TrustedSet {
  referenceTime: Date;
  readonly root: Metadata<Root>;
  readonly timestamp?: Metadata<Timestamp>;
  readonly snapshot?: Metadata<Snapshot>;
  readonly targets?: Metadata<Targets>;
  updateRoot(...given: unknown[]): unknown;
  updateTimestamp(...given: unknown[]): unknown;
  updateSnapshot(...given: unknown[]): unknown;
  updateDelegatedTargets(...given: unknown[]): unknown;
}

/**
 * @param text the file's; undefined where the device has seen nothing yet.
 * @param metadataKept whether the metadata itself is there: tuf-js compares with it, so that one of the two suffices.
 * @throws VedetteError storage_failed where both are damaged: then no rollback could be told.
 */
export function readVersions(text: string | undefined, metadataKept: boolean): SeenVersions | undefined {
  if (text === undefined) return undefined;
  try {
    return seenVersions.parse(JSON.parse(text));
  } catch (cause) {
    if (metadataKept) return undefined;
    throw new VedetteError(
      "storage_failed",
      "the versions of trust metadata seen by this device are damaged: check the disk, then enrol it anew",
      { cause },
    );
  }
}

/** The versions a refresh ended with. @throws VedetteError internal before all of the four roles are loaded. */
export function versionsOf(trusted: TrustedSet): SeenVersions {
  const { root, timestamp, snapshot } = trusted;
  if (!timestamp || !snapshot) throw new VedetteError("internal", "the trust refresh ended without a snapshot");
  const keys = [root.signed.roles.timestamp, root.signed.roles.snapshot].flatMap((role) => role?.keyIDs ?? []);
  const targets = Object.entries(snapshot.signed.meta).map(([file, meta]) => [
    file.replace(/\.json$/, ""),
    meta.version,
  ]);
  return {
    root: root.signed.version,
    timestamp: timestamp.signed.version,
    snapshot: snapshot.signed.version,
    targets: Object.fromEntries(targets),
    onlineKeys: [...new Set(keys)].sort(),
  };
}

/** @throws VedetteError rollback naming what went backwards. */
export function refuseRollback(seen: SeenVersions | undefined, now: SeenVersions): void {
  if (!seen) return;
  refuse("root", seen.root, now.root);
  if (seen.onlineKeys.join() !== now.onlineKeys.join()) return;
  refuse("timestamp", seen.timestamp, now.timestamp);
  refuse("snapshot", seen.snapshot, now.snapshot);
  for (const [role, version] of Object.entries(seen.targets)) refuse(role, version, now.targets[role]);
}

function refuse(role: string, seen: number, now: number | undefined): void {
  if (now !== undefined && now >= seen) return;
  const found = now === undefined ? "none" : `version ${now}`;
  throw new VedetteError(
    "rollback",
    `trust metadata ${role}: this device has seen version ${seen}, and now gets ${found}`,
  );
}
