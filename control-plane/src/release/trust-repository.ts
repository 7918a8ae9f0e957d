/**
 * The site's TUF repository: takes what operators signed offline, signs what is new online, serves all of it byte for
 * byte. HTTP puts and publishes here, fleet/ serves devices from here, the director asks here what may run.
 */

import { isDeepStrictEqual } from "node:util";
import { VedetteError } from "@vedette/protocol/errors";
import { metadataLifetimes, renewWithin, roleOf, targetPath } from "@vedette/protocol/trust";
import type { Database } from "../db/database.ts";
import type { MetadataRecord, VersionRecord } from "../db/records.ts";
import type { Clock, Logger } from "../ports.ts";
import { createSerial } from "../serial.ts";
import { sha256 } from "../sha256.ts";
import { keyNamed, type NamedRole, namedRoles, type OnlineKeys } from "./online-keys.ts";
import { clockSlackMs, type OnlineState, onlineMetadata } from "./online-metadata.ts";
import {
  advance,
  namedKeys,
  noRoot,
  type Submitted,
  signaturesOf,
  type TrustState,
  trustStateOf,
} from "./trust-state.ts";

/** A version before it has its number. */
export type VersionDraft = Omit<VersionRecord, "version">;

export interface ExpiringRole {
  readonly role: string;
  /** UTC ms. */
  readonly expires: number;
  readonly expired: boolean;
}

export interface TrustRepository {
  /** sha256 of the first root; null before there is one. */
  readonly rootSha256: string | null;
  /** Current versions by role. */
  versions(): Record<string, number>;
  /** The text of a metadata file (`3.root.json`, `timestamp.json`, …; without a number: the current one). */
  metadata(file: string): Promise<string | undefined>;
  /**
   * Takes signed metadata, all or none. Answers whether devices have to hear of it at once: a floor rose, or another key
   * directs. @throws VedetteError as `advance` does.
   */
  put(submitted: readonly Submitted[], actor: string): Promise<{ urgent: boolean }>;
  /**
   * Publishes a version with the metadata that makes it a target; the version's number is the next of its model.
   * A digest that is published already is answered as it stands.
   * @throws VedetteError as `put`; invalid_metadata where the metadata do not list the version.
   */
  publish(draft: VersionDraft, manifest: string, submitted: readonly Submitted[]): Promise<VersionRecord>;
  /** Whether a version may be assigned: listed in its project's current metadata, and not below the floor. */
  assignable(model: string, digest: string): "yes" | "not listed" | "revoked";
  /**
   * How many good signatures of its role's keys a project's metadata carry, and how many it takes; undefined where nobody is
   * delegated to sign for the model. @throws VedetteError invalid_metadata.
   */
  signatures(model: string, text?: string): { readonly good: number; readonly threshold: number } | undefined;
  /** The signed roles whose life ends before long, or is over, with what to do. */
  expiring(): ExpiringRole[];
  /** Signs snapshot and timestamp anew where it is time. Idempotent. */
  refresh(): Promise<void>;
}

/** Devices that were just told of a snapshot may still ask for it. */
const snapshotGraceSeconds = 86_400;

/** Opens the repository that the database holds. */
export async function openTrustRepository(ports: {
  db: Database;
  keys: OnlineKeys;
  clock: Clock;
  logger: Logger;
}): Promise<TrustRepository> {
  const { db, keys, clock, logger } = ports;
  const serial = createSerial();
  const records = await db.metadata.latest();
  const byRole = (role: string): MetadataRecord | undefined => records.find((record) => record.role === role);
  let trust: TrustState = trustStateOf(records);
  let online = onlineState(byRole("snapshot"), byRole("timestamp"));
  const firstRoot = (await db.metadata.find("root", 1))?.text;
  let rootSha256 = firstRoot === undefined ? null : sha256(firstRoot);

  /** Stores what differs between two states in one transaction, then lets it be the current state. */
  async function commit(next: TrustState, store: (rows: MetadataRecord[]) => Promise<void>): Promise<void> {
    const fresh = onlineMetadata(next, online, keys, clock.now());
    const known = new Set([...offlineRecords(trust), online.snapshot, online.timestamp]);
    const all = [...offlineRecords(next), fresh?.snapshot, fresh?.timestamp];
    const rows = all.filter((record) => record !== undefined && !known.has(record)) as MetadataRecord[];
    if (rows.length === 0) return;
    await store(rows);
    trust = next;
    await settleKeys();
    online = onlineState(fresh?.snapshot, fresh?.timestamp);
    if (rootSha256 === null && next.root) rootSha256 = sha256(next.root.record.text);
    logger.info("metadata.stored", { versions: rows.map((row) => `${row.role} ${row.version}`) });
    if (!fresh) return;
    await db.metadata.prune("timestamp", fresh.timestamp.version);
    const recent = Math.floor(clock.now() / 1000) - snapshotGraceSeconds;
    await db.metadata.prune("snapshot", Math.min(fresh.snapshot.version, recent));
  }

  /** Keys that waited and are named now take the place of the old ones. Also after a crash between the two. */
  async function settleKeys(): Promise<void> {
    for (const role of namedRoles) {
      const named = namedKeys(trust, role);
      if (named.length === 0 || keyNamed(keys, role, named) === keys[role]) continue;
      if (!keys.next[role]) continue;
      await keys.promote(role);
      logger.info("online_key.rotated", { role, publicKey: keys[role].publicKeyHex });
    }
  }
  await settleKeys();

  async function step(submitted: readonly Submitted[], draft?: VersionRecord): Promise<TrustState> {
    const published = await db.versions.list();
    const versions = new Map([...published, ...(draft ? [draft] : [])].map((version) => [version.digest, version]));
    const usable = (role: NamedRole) => [keys[role], keys.next[role]].flatMap((key) => (key ? [key.publicKeyHex] : []));
    return advance(trust, submitted, {
      now: clock.now(),
      online: {
        snapshot: usable("snapshot"),
        timestamp: usable("timestamp"),
        director: usable("director"),
      },
      versions,
    });
  }

  const refresh = (): Promise<void> =>
    serial(() =>
      commit(trust, (rows) =>
        db.metadata.insert(rows, {
          at: clock.now(),
          actor: "control-plane",
          action: "metadata.sign",
          subject: rows.map((row) => row.role).join(","),
          detail: {},
        }),
      ),
    );

  return {
    get rootSha256() {
      return rootSha256;
    },
    versions() {
      const current = [...offlineRecords(trust), online.snapshot, online.timestamp];
      return Object.fromEntries(current.flatMap((record) => (record ? [[record.role, record.version]] : [])));
    },
    async metadata(file) {
      const [, number, role] = /^(?:([1-9][0-9]{0,15})\.)?([a-z0-9-]{1,80})\.json$/.exec(file) ?? [];
      if (role === undefined) return undefined;
      if (number !== undefined) return (await db.metadata.find(role, Number(number)))?.text;
      // A timer may have slept with its machine: nobody is handed a timestamp that is about to end.
      if (role === "timestamp" && isDue(online.timestamp, clock.now())) await refresh();
      return [...offlineRecords(trust), online.snapshot, online.timestamp].find((record) => record?.role === role)
        ?.text;
    },
    put: (submitted, actor) =>
      serial(async () => {
        const next = await step(submitted);
        const before = trust;
        const change = (state: TrustState) => ({
          versions: Object.fromEntries(offlineRecords(state).map(({ role, version }) => [role, version])),
          floors: { ...state.targets?.extension.floors },
          director: namedKeys(state, "director"),
        });
        await commit(next, (rows) =>
          db.metadata.insert(rows, {
            at: clock.now(),
            actor,
            action: "metadata.put",
            subject: submitted.map(({ role }) => role).join(","),
            detail: {
              versions: rows.map((row) => `${row.role} ${row.version}`),
              before: change(before),
              after: change(next),
            },
          }),
        );
        const { versions: _was, ...heard } = change(before);
        const { versions: _is, ...hear } = change(next);
        return { urgent: before.targets !== undefined && !isDeepStrictEqual(heard, hear) };
      }),
    publish: (draft, manifest, submitted) =>
      serial(async () => {
        const known = await db.versions.findByDigest(draft.digest);
        if (known) return known;
        if (!trust.root) throw noRoot();
        const role = roleOf(draft.model);
        const foreign = submitted.find((one) => one.role !== role && one.role !== "targets");
        if (foreign) {
          throw new VedetteError(
            "invalid_metadata",
            `a version of ${draft.model} comes with ${role} and targets only, not ${foreign.role}`,
          );
        }
        const version = { ...draft, version: ((await db.versions.list(draft.model)).at(-1)?.version ?? 0) + 1 };
        const next = await step(submitted, version);
        const path = targetPath(draft.model, draft.digest);
        if (!next.projects.get(role)?.metadata.signed.targets[path]) {
          throw new VedetteError(
            "invalid_metadata",
            `the ${role} metadata sent do not list ${path}: sign it and publish again`,
          );
        }
        await commit(next, (rows) =>
          db.versions.publish(version, manifest, rows, {
            at: draft.createdAt,
            actor: draft.publishedBy,
            action: "version.publish",
            subject: `${draft.model}/${version.version}`,
            detail: { digest: draft.digest },
          }),
        );
        return version;
      }),
    assignable(model, digest) {
      const role = roleOf(model);
      const delegated = trust.targets?.metadata.signed.delegations?.roles?.[role];
      const target = delegated && trust.projects.get(role)?.metadata.signed.targets[targetPath(model, digest)];
      if (!target) return "not listed";
      const floor = trust.targets?.extension.floors[model] ?? 0;
      return Number(target.custom.release) < floor ? "revoked" : "yes";
    },
    signatures: (model, text) => signaturesOf(trust, roleOf(model), text),
    expiring() {
      const now = clock.now();
      return offlineEntries(trust).flatMap(({ record: { role }, metadata }) => {
        const expires = Date.parse(metadata.signed.expires);
        return expires - now > renewWithin(role) ? [] : [{ role, expires, expired: expires <= now }];
      });
    },
    refresh,
  };
}

function offlineEntries(state: TrustState) {
  return [state.root, state.targets, ...state.projects.values()].filter((entry) => entry !== undefined);
}

function offlineRecords(state: TrustState): MetadataRecord[] {
  return offlineEntries(state).map((entry) => entry.record);
}

/** Whether half of a timestamp's life is over, or it is of a time to come, as `onlineMetadata` judges it. */
function isDue(timestamp: MetadataRecord | undefined, now: number): boolean {
  if (timestamp === undefined) return false;
  const age = now - timestamp.createdAt;
  return age >= (metadataLifetimes.timestamp * 1000) / 2 || age < -clockSlackMs;
}

function onlineState(snapshot?: MetadataRecord, timestamp?: MetadataRecord): OnlineState {
  return { ...(snapshot && { snapshot }), ...(timestamp && { timestamp }) };
}
