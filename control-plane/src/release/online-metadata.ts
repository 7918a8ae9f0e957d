/**
 * Snapshot and timestamp: what the control plane itself signs, so that devices see what is new and notice a freeze.
 * Made anew when what they speak of changed, when their key changed, and when half of their life is over.
 */

import { isDeepStrictEqual } from "node:util";
import { Metadata, MetadataKind, MetaFile, Signature, Snapshot, Timestamp } from "@tufjs/models";
import { VedetteError } from "@vedette/protocol/errors";
import { metadataLifetimes } from "@vedette/protocol/trust";
import type { MetadataRecord } from "../db/records.ts";
import { sha256 } from "../sha256.ts";
import { keyNamed, type OnlineKeys, type SigningKey } from "./online-keys.ts";
import { namedKeys, type TrustState } from "./trust-state.ts";

export interface OnlineState {
  readonly snapshot?: MetadataRecord;
  readonly timestamp?: MetadataRecord;
}
/** Clocks are set back by so much all the time. */
export const clockSlackMs = 60_000;
type OnlineRole = "snapshot" | "timestamp";

/**
 * The online metadata for a state of the offline roles: those at hand where they still serve, new ones otherwise.
 * Undefined until there are root and targets.
 * @param now UTC ms. New versions are max(stored + 1, Unix seconds), so that a restored backup never goes backwards.
 * @throws VedetteError bad_signature where the root does not name the keys at hand.
 */
export function onlineMetadata(
  trust: TrustState,
  stored: OnlineState,
  keys: OnlineKeys,
  now: number,
): { snapshot: MetadataRecord; timestamp: MetadataRecord } | undefined {
  if (!trust.root || !trust.targets) return undefined;
  const root = trust.root.metadata;
  // Where the root names a key that waited, it is that one from this state on.
  const keyOf = (role: OnlineRole) => keyNamed(keys, role, namedKeys(trust, role)) ?? keys[role];
  const reuse = (role: OnlineRole, meta: Record<string, MetaFile>): MetadataRecord | undefined => {
    const record = stored[role];
    if (!record) return undefined;
    const metadata = read(role, record.text);
    const left = Date.parse(metadata.signed.expires) - now;
    const named = "meta" in metadata.signed ? metadata.signed.meta : { "snapshot.json": metadata.signed.snapshotMeta };
    const key = keyidIn(trust, keyOf(role));
    const fits = isDeepStrictEqual(metaJson(named), metaJson(meta)) && Object.hasOwn(metadata.signatures, key);
    // More than a whole life left: signed while the clock here was ahead, it would let devices be held back for as long.
    const life = metadataLifetimes[role] * 1000;
    return fits && left > life / 2 && left <= life + clockSlackMs ? record : undefined;
  };
  const make = (role: OnlineRole, meta: Record<string, MetaFile>): MetadataRecord => {
    const common = {
      specVersion: "1.0.31",
      version: Math.max((stored[role]?.version ?? 0) + 1, Math.floor(now / 1000)),
      expires: new Date(now + metadataLifetimes[role] * 1000).toISOString().replace(/\.[0-9]{3}Z$/, "Z"),
    };
    const snapshotMeta = meta["snapshot.json"];
    const signed =
      role === "timestamp" && snapshotMeta
        ? new Timestamp({ ...common, snapshotMeta })
        : new Snapshot({ ...common, meta });
    const metadata = new Metadata(signed);
    const key = keyOf(role);
    metadata.sign((bytes) => new Signature({ keyID: keyidIn(trust, key), sig: key.sign(bytes) }));
    try {
      root.verifyDelegate(role, metadata);
    } catch (cause) {
      throw new VedetteError(
        "bad_signature",
        `the root does not name this control plane's ${role} key ${key.publicKeyHex}: restore the old key, or put a root that names this one`,
        { cause },
      );
    }
    return { role, version: common.version, text: JSON.stringify(metadata.toJSON()), createdAt: now };
  };

  const offline = [trust.targets.record, ...[...trust.projects.values()].map((entry) => entry.record)];
  const targetsMeta = Object.fromEntries(offline.map((record) => [`${record.role}.json`, metaFile(record)]));
  const snapshot = reuse("snapshot", targetsMeta) ?? make("snapshot", targetsMeta);
  const snapshotMeta = { "snapshot.json": metaFile(snapshot) };
  return { snapshot, timestamp: reuse("timestamp", snapshotMeta) ?? make("timestamp", snapshotMeta) };
}

function read(role: OnlineRole, text: string): Metadata<Snapshot> | Metadata<Timestamp> {
  const json = JSON.parse(text);
  return role === "snapshot"
    ? Metadata.fromJSON(MetadataKind.Snapshot, json)
    : Metadata.fromJSON(MetadataKind.Timestamp, json);
}

function metaFile({ text, version }: MetadataRecord): MetaFile {
  return new MetaFile({ version, length: Buffer.byteLength(text), hashes: { sha256: sha256(text) } });
}

function metaJson(meta: Record<string, MetaFile>): Record<string, unknown> {
  return Object.fromEntries(Object.entries(meta).map(([name, file]) => [name, file.toJSON()]));
}

/** The id that the operators' root gives one of our keys. */
function keyidIn(trust: TrustState, key: SigningKey): string {
  const keys = Object.values(trust.root?.metadata.signed.keys ?? {});
  return keys.find((one) => one.keyVal.public === key.publicKeyHex)?.keyID ?? key.keyid;
}
