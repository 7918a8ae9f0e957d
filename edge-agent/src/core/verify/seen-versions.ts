/**
 * The highest versions of trust metadata a device has seen, kept apart from the metadata itself: a lost or damaged file
 * cannot let older metadata in. Keys of the online roles stand beside them: a root that replaces those keys ends the
 * counting, or a thief of one could block a site for ever by signing an enormous version (TUF 5.3.11).
 */

import { VedetteError } from "@vedette/protocol/errors";
import { z } from "zod";
import { checkNotBelow } from "./checks.ts";
import type { Metadata } from "./metadata.ts";

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

/**
 * @param text the file's; undefined where the device has seen nothing yet.
 * @param metadataKept whether the metadata itself is there: the workflow compares with it, so that one of the two suffices.
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

/** The versions that a refresh ended with. */
export function versionsOf(
  root: Metadata<"root">,
  timestamp: Metadata<"timestamp">,
  snapshot: Metadata<"snapshot">,
): SeenVersions {
  const targets = [...snapshot.signed.meta].map(([file, { version }]) => [file.replace(/\.json$/, ""), version]);
  return {
    root: root.signed.version,
    timestamp: timestamp.signed.version,
    snapshot: snapshot.signed.version,
    targets: Object.fromEntries(targets),
    onlineKeys: onlineKeysOf(root),
  };
}

/** What still counts of it under a root: nothing where that replaced an online key. @throws VedetteError rollback. */
export function stillCounting(seen: SeenVersions | undefined, root: Metadata<"root">): SeenVersions | undefined {
  if (!seen) return undefined;
  checkNotBelow(root.file, root.signed.version, seen.root);
  return seen.onlineKeys.join() === onlineKeysOf(root).join() ? seen : undefined;
}

/** @throws VedetteError rollback naming what went backwards. */
export function refuseOlderSnapshot(seen: SeenVersions | undefined, snapshot: Metadata<"snapshot">): void {
  if (!seen) return;
  checkNotBelow(snapshot.file, snapshot.signed.version, seen.snapshot);
  for (const [role, version] of Object.entries(seen.targets)) {
    const found = snapshot.signed.meta.get(`${role}.json`)?.version ?? 0;
    checkNotBelow(`${role}.json in ${snapshot.file}`, found, version);
  }
}

function onlineKeysOf({ signed: { roles } }: Metadata<"root">): string[] {
  return [...new Set([...roles.timestamp.keyids, ...roles.snapshot.keyids])].sort();
}
