/**
 * The tables. Times are UTC ms. Only this folder knows drizzle; after a change run
 * `npm run migrations --workspace control-plane -- --name what_changes` and commit what it writes.
 */
import { severities } from "@vedette/protocol/alerts-api";
import type { Manifest } from "@vedette/protocol/bundle";
import type { AgentAbilities } from "@vedette/protocol/capability";
import type { Stamp } from "@vedette/protocol/device-message";
import type { DriftScope, DriftVerdict } from "@vedette/protocol/drift";
import type { DriftEventFeature } from "@vedette/protocol/drift-api";
import type { AssignedSlot, Reported } from "@vedette/protocol/messages";
import { memberStates, type RolloutPolicy, type RolloutVerdict, rolloutStates } from "@vedette/protocol/rollout";
import type { PairCounts, ShadowParcel } from "@vedette/protocol/shadow";
import type { SignedText } from "@vedette/protocol/signed";
import type { Watch, WatchSpec } from "@vedette/protocol/watch-api";
import { sql } from "drizzle-orm";
import { blob, index, integer, primaryKey, real, sqliteTable, text, uniqueIndex } from "drizzle-orm/sqlite-core";
import {
  type Acknowledgement,
  type AuditEntry,
  type Labels,
  type ModelSignatureRecord,
  operatorRoles,
  type RequestHalf,
  type ResponseHalf,
  type Selector,
} from "./records.ts";
import type { RampState } from "./rollout-records.ts";

const stageKinds = ["shadow", "canary"] as const;

/** Facts about this installation, such as the site it belongs to. */
export const settings = sqliteTable("settings", { key: text().primaryKey(), value: text().notNull() });

export const models = sqliteTable("models", { name: text().primaryKey(), createdAt: integer().notNull() });

/** Immutable: rows are only ever inserted. */
export const versions = sqliteTable(
  "versions",
  {
    model: text()
      .notNull()
      .references(() => models.name),
    version: integer().notNull(),
    digest: text().notNull().unique(),
    /** The very text that was hashed and signed. */
    manifest: text().notNull(),
    /** Bytes of the manifest, UTF-8. */
    length: integer().notNull(),
    /** Bytes of all files. */
    bytes: integer().notNull(),
    task: text({ enum: ["classification", "regression", "tensor"] }).notNull(),
    createdAt: integer().notNull(),
    publishedBy: text().notNull(),
    /** Of the manifest, so that deciding what a device may run reads no manifests. */
    requires: text({ mode: "json" }).$type<Manifest["requires"]>().notNull(),
    lineage: text({ mode: "json" }).$type<Manifest["lineage"]>().notNull(),
    /** OpenSSF Model Signing; null for versions published without. */
    modelSignature: text({ mode: "json" }).$type<ModelSignatureRecord>(),
  },
  (table) => [primaryKey({ columns: [table.model, table.version] })],
);

/** Signed TUF metadata, byte for byte as it is served. */
export const metadata = sqliteTable(
  "metadata",
  {
    role: text().notNull(),
    version: integer().notNull(),
    text: text().notNull(),
    createdAt: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.role, table.version] })],
);

export const tokens = sqliteTable("tokens", {
  /** sha256 of the secret, hex: the secret itself is never kept. */
  secretSha256: text().primaryKey(),
  labels: text({ mode: "json" }).$type<Labels>().notNull(),
  uses: integer().notNull(),
  used: integer().notNull(),
  expiresAt: integer().notNull(),
  createdAt: integer().notNull(),
  createdBy: text().notNull().default("operator"),
  revokedAt: integer(),
});

export const devices = sqliteTable("devices", {
  agent: text().primaryKey(),
  publicKey: text().notNull(),
  token: text()
    .notNull()
    .references(() => tokens.secretSha256),
  /** What the operator's token says. Wins over what the device says of itself. */
  tokenLabels: text({ mode: "json" }).$type<Labels>().notNull(),
  saidLabels: text({ mode: "json" }).$type<Labels>().notNull(),
  enrolledAt: integer().notNull(),
  lastSeen: integer(),
  abilities: text({ mode: "json" }).$type<AgentAbilities>(),
  report: text({ mode: "json" }).$type<Reported>(),
  /** The assignment last decided: its revision and slots. */
  rev: integer().notNull(),
  slots: text({ mode: "json" }).$type<readonly AssignedSlot[]>().notNull(),
  /** Session and number of the last message believed: an earlier one is a replay, also after a restart. */
  heard: text({ mode: "json" }).$type<Stamp>(),
  /** Null: it may log in. */
  revokedAt: integer(),
  revokedReason: text(),
});

/** Chunks that an external broker retains for us, so that those nobody needs any more are taken back. */
export const brokerBlobs = sqliteTable("broker_blobs", {
  sha256: text().primaryKey(),
  /** Assigned versions and rules that need it. */
  refs: integer().notNull(),
  /** When the last reference went; null while there is one. */
  unusedSince: integer(),
});

/** Who may ask what of the control plane. Removed operators stay, so that the audit's names mean one person each. */
export const operators = sqliteTable("operators", {
  name: text().primaryKey(),
  role: text({ enum: operatorRoles }).notNull(),
  /** sha256 of the token, hex: the token itself is never kept. Null: revoked. */
  tokenSha256: text().unique(),
  createdAt: integer().notNull(),
  createdBy: text().notNull(),
  /** When the token was made or taken away last. */
  tokenChangedAt: integer().notNull(),
  removedAt: integer(),
});

/** Standing rules: of those that match a device, the latest one of each model counts. Kept as history once superseded. */
export const assignmentRules = sqliteTable(
  "assignment_rules",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    model: text()
      .notNull()
      .references(() => models.name),
    /** Null: none. */
    version: integer(),
    selector: text({ mode: "json" }).$type<Selector>().notNull(),
    createdAt: integer().notNull(),
    createdBy: text().notNull(),
    /** The later rule that covers every device this one covers. */
    supersededBy: integer(),
  },
  (table) => [index("assignment_rules_in_force").on(table.supersededBy, table.model)],
);

/** Releases in stages: where each stands, as the engine left it. Over once `ended_at` says so. */
export const rollouts = sqliteTable(
  "rollouts",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    model: text()
      .notNull()
      .references(() => models.name),
    version: integer().notNull(),
    digest: text().notNull(),
    salt: text().notNull(),
    policy: text({ mode: "json" }).$type<RolloutPolicy>().notNull(),
    state: text({ enum: rolloutStates }).notNull(),
    stage: integer().notNull(),
    stageSince: integer(),
    approvals: text({ mode: "json" }).$type<readonly number[]>().notNull(),
    ramp: text({ mode: "json" }).$type<RampState>().notNull(),
    pausedAt: integer(),
    undecidedFrom: integer(),
    verdict: text({ mode: "json" }).$type<RolloutVerdict>(),
    why: text().notNull(),
    createdAt: integer().notNull(),
    createdBy: text().notNull(),
    endedAt: integer(),
  },
  (table) => [index("rollouts_by_end").on(table.endedAt)],
);

/** Their devices; what is given of a live rollout is what the director lays over the standing rules. */
export const rolloutMembers = sqliteTable(
  "rollout_members",
  {
    rollout: integer()
      .notNull()
      .references(() => rollouts.id),
    agent: text().notNull(),
    kind: text({ enum: stageKinds }).notNull(),
    given: text({ enum: stageKinds }),
    joinedAt: integer().notNull(),
    state: text({ enum: memberStates }).notNull(),
    since: integer().notNull(),
    takenAt: integer(),
    takenRev: integer().notNull(),
    reached: integer({ mode: "boolean" }).notNull(),
    reason: text(),
  },
  (table) => [
    primaryKey({ columns: [table.rollout, table.agent] }),
    index("rollout_members_given").on(table.agent).where(sql`given IS NOT NULL`),
  ],
);

/** What the engine was told, step by step: only what changed since the step before. For `rollout replay`. */
export const rolloutHistory = sqliteTable(
  "rollout_history",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    rollout: integer()
      .notNull()
      .references(() => rollouts.id),
    at: integer().notNull(),
    changes: text({ mode: "json" }).$type<unknown>().notNull(),
  },
  (table) => [index("rollout_history_by_rollout").on(table.rollout)],
);

/** Who changed what, written in the transaction of the change. */
export const audit = sqliteTable(
  "audit",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    at: integer().notNull(),
    actor: text().notNull(),
    action: text().notNull(),
    subject: text().notNull(),
    detail: text({ mode: "json" }).$type<AuditEntry["detail"]>().notNull(),
    /** sha256 over this entry and the hash before it; empty in a row that an older version wrote. */
    hash: text().notNull().default(""),
  },
  (table) => [index("audit_by_time").on(table.at)],
);

/** Windows as devices sent them: counts on the bins of a version's drift reference. */
export const driftWindows = sqliteTable(
  "drift_windows",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    agent: text().notNull(),
    model: text().notNull(),
    digest: text().notNull(),
    epoch: text().notNull(),
    n: integer().notNull(),
    /** By the device's clock. */
    fromAt: real().notNull(),
    toAt: real().notNull(),
    rows: integer().notNull(),
    snapshot: blob({ mode: "buffer" }).notNull(),
    /** The device's own word. */
    verdict: text().$type<DriftVerdict>().notNull(),
    top: text(),
    logE: real(),
    receivedAt: integer().notNull(),
    /** The round that merged it; null while it waits for one. */
    round: integer(),
  },
  (table) => [
    uniqueIndex("drift_windows_once").on(table.agent, table.model, table.digest, table.epoch, table.n),
    index("drift_windows_by_round").on(table.digest, table.round),
  ],
);

/** How far the windows of a device's state were removed for their age: these do not come again. */
export const driftPruned = sqliteTable(
  "drift_pruned",
  { agent: text().notNull(), digest: text().notNull(), epoch: text().notNull(), upTo: integer().notNull() },
  (table) => [primaryKey({ columns: [table.agent, table.digest, table.epoch] })],
);

/** The detectors: of each device, each cohort, and the fleet, by version. */
export const driftBanks = sqliteTable(
  "drift_banks",
  {
    digest: text().notNull(),
    /** `device:<agent>`, `cohort:<label>=<value>` or `fleet`. */
    subject: text().notNull(),
    bank: blob({ mode: "buffer" }).notNull(),
    /** Rounds that it saw since it began, or began anew after an alarm. */
    steps: integer().notNull(),
    rows: integer().notNull(),
    logE: real().notNull(),
    /** By feature, in the reference's order. */
    features: text({ mode: "json" }).$type<readonly number[]>().notNull(),
    /** The last round that it saw. */
    round: integer().notNull(),
    /** What this round's rows alone say. */
    verdict: text().$type<DriftVerdict>().notNull(),
    top: text(),
  },
  (table) => [primaryKey({ columns: [table.digest, table.subject] })],
);

/** Each merge of what came since the one before. */
export const driftRounds = sqliteTable(
  "drift_rounds",
  {
    digest: text().notNull(),
    round: integer().notNull(),
    at: integer().notNull(),
    devices: integer().notNull(),
    rows: integer().notNull(),
    /** Devices that sent more than their share, and counted for that. */
    capped: integer().notNull(),
    /** All of it together. */
    snapshot: blob({ mode: "buffer" }).notNull(),
    logE: real().notNull(),
    verdict: text().$type<DriftVerdict>().notNull(),
    top: text(),
  },
  (table) => [primaryKey({ columns: [table.digest, table.round] })],
);

export const driftEvents = sqliteTable(
  "drift_events",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    model: text().notNull(),
    digest: text().notNull(),
    scope: text({ mode: "json" }).$type<DriftScope>().notNull(),
    /** The scope as `drift_banks.subject` has it. */
    subject: text().notNull(),
    verdict: text().$type<DriftVerdict>().notNull(),
    openedAt: integer().notNull(),
    raisedAt: integer().notNull(),
    /** How often its detector has alarmed, and after how many rounds it did the last time. */
    raised: integer().notNull(),
    raisedAfter: integer().notNull(),
    closedAt: integer(),
    logE: real().notNull(),
    features: text({ mode: "json" }).$type<readonly DriftEventFeature[]>().notNull(),
    agents: text({ mode: "json" }).$type<readonly string[]>().notNull(),
  },
  (table) => [index("drift_events_by_version").on(table.digest, table.closedAt)],
);

/** The windows that prove an event: kept as long as it is. */
export const driftEvidence = sqliteTable(
  "drift_evidence",
  {
    event: integer()
      .notNull()
      .references(() => driftEvents.id),
    window: integer()
      .notNull()
      .references(() => driftWindows.id),
  },
  (table) => [primaryKey({ columns: [table.event, table.window] })],
);
/** From firing to resolved: a row each time. */
export const alerts = sqliteTable(
  "alerts",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    /** What its source calls it. */
    key: text().notNull(),
    /** Of name and labels. */
    fingerprint: text().notNull(),
    name: text().notNull(),
    labels: text({ mode: "json" }).$type<Labels>().notNull(),
    annotations: text({ mode: "json" }).$type<Labels>().notNull(),
    state: text({ enum: ["firing", "resolved"] }).notNull(),
    severity: text({ enum: severities }).notNull(),
    startsAt: integer().notNull(),
    changedAt: integer().notNull(),
    quietSince: integer(),
    endsAt: integer(),
    ack: text({ mode: "json" }).$type<Acknowledgement>(),
  },
  (table) => [
    uniqueIndex("alerts_firing").on(table.fingerprint).where(sql`ends_at IS NULL`),
    index("alerts_by_end").on(table.endsAt),
  ],
);

/** Webhooks. Their headers are secrets, in files of their own. */
export const alertReceivers = sqliteTable("alert_receivers", {
  name: text().primaryKey(),
  url: text().notNull(),
  minSeverity: text({ enum: severities }).notNull(),
  createdAt: integer().notNull(),
  createdBy: text().notNull(),
  /** Since the last delivery; and when the first of them was. */
  failures: integer().notNull().default(0),
  failingSince: integer(),
  retryAt: integer().notNull().default(0),
  lastError: text(),
  lastDelivery: integer(),
});

/** What each receiver was told of each alert: what is not told yet is what this lacks, also after a restart. */
export const alertOutbox = sqliteTable(
  "alert_outbox",
  {
    receiver: text()
      .notNull()
      .references(() => alertReceivers.name, { onDelete: "cascade" }),
    alert: integer()
      .notNull()
      .references(() => alerts.id, { onDelete: "cascade" }),
    told: text({ enum: ["firing", "resolved"] }).notNull(),
    severity: text({ enum: severities }).notNull(),
  },
  (table) => [primaryKey({ columns: [table.receiver, table.alert] })],
);

/** When a receiver was last sent what fires of a model, so that it is repeated in time. */
export const alertGroups = sqliteTable(
  "alert_groups",
  {
    receiver: text()
      .notNull()
      .references(() => alertReceivers.name, { onDelete: "cascade" }),
    /** A model's name; empty for what is of no model. */
    model: text().notNull(),
    sentAt: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.receiver, table.model] })],
);

/** Models that are served elsewhere, and watched here. */
export const watches = sqliteTable("watches", {
  model: text().primaryKey(),
  /** The published version that it is watched as; null where it is by reference data. */
  digest: text(),
  release: integer(),
  spec: text({ mode: "json" }).$type<WatchSpec>().notNull(),
  reference: blob({ mode: "buffer" }).notNull(),
  createdAt: integer().notNull(),
  createdBy: text().notNull(),
  /** The drift window under way; null before the first row. */
  window: blob({ mode: "buffer" }),
  /** Of the last full window. */
  drift: text({ mode: "json" }).$type<Watch["drift"]>(),
  predictions: integer().notNull().default(0),
  lastAt: integer(),
  refused: integer().notNull().default(0),
  lastRefusal: text(),
});

/** Events by id: halves that wait for each other, then for their batch; then the id alone, so that none counts twice. */
export const watchEvents = sqliteTable(
  "watch_events",
  {
    seq: integer().primaryKey({ autoIncrement: true }),
    model: text().notNull(),
    id: text().notNull(),
    at: integer().notNull(),
    request: text({ mode: "json" }).$type<RequestHalf>(),
    response: text({ mode: "json" }).$type<ResponseHalf>(),
    /** When it became part of a batch. */
    doneAt: integer(),
  },
  (table) => [
    uniqueIndex("watch_events_by_id").on(table.model, table.id),
    index("watch_events_open").on(table.model, table.at).where(sql`done_at IS NULL`),
    index("watch_events_done").on(table.doneAt),
  ],
);

/** Batches of watched predictions on their way to the prediction log. */
export const watchFrames = sqliteTable("watch_frames", {
  id: integer().primaryKey({ autoIncrement: true }),
  model: text().notNull(),
  frame: blob({ mode: "buffer" }).notNull(),
  /** When the log had it; kept for a while, as a backup may hold an older log. */
  takenAt: integer(),
});

/** Pairs of versions that the director signed for a device: what it may tell of. */
export const shadowPairs = sqliteTable(
  "shadow_pairs",
  {
    agent: text().notNull(),
    model: text().notNull(),
    /** Digests: who answers, and who is asked beside it. */
    answering: text().notNull(),
    beside: text().notNull(),
    /** The first time. */
    signedAt: integer().notNull(),
  },
  (table) => [primaryKey({ columns: [table.agent, table.model, table.answering, table.beside] })],
);

/** What devices found where they asked two versions the same: in the order of arrival. */
export const shadowParcels = sqliteTable(
  "shadow_parcels",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    agent: text().notNull(),
    model: text().notNull(),
    answering: text().notNull(),
    beside: text().notNull(),
    epoch: text().notNull(),
    n: integer().notNull(),
    /** By the device's clock. */
    fromAt: real().notNull(),
    toAt: real().notNull(),
    /** Rows that both were asked. */
    rows: integer().notNull(),
    counts: text({ mode: "json" }).$type<PairCounts>().notNull(),
    disagreements: text({ mode: "json" }).$type<ShadowParcel["disagreements"]>().notNull(),
    omitted: integer().notNull(),
    receivedAt: integer().notNull(),
  },
  (table) => [
    uniqueIndex("shadow_parcels_once").on(table.agent, table.model, table.epoch, table.n),
    index("shadow_parcels_by_pair").on(table.model, table.answering, table.beside),
    index("shadow_parcels_by_agent").on(table.agent, table.model),
  ],
);

/** What the gate found of a version, each time it looked: signed, and verified at each reading. */
export const gateReports = sqliteTable(
  "gate_reports",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    digest: text().notNull(),
    at: integer().notNull(),
    signed: text({ mode: "json" }).$type<SignedText>().notNull(),
  },
  (table) => [index("gate_reports_by_digest").on(table.digest)],
);

/** Labelled rows that came with versions, for the gate alone: their text by its sha256. */
export const gateRows = sqliteTable("gate_rows", { sha256: text().primaryKey(), text: text().notNull() });

/** By whom, why and until when a version that failed may be released all the same: signed, as the reports. */
export const gateOverrides = sqliteTable(
  "gate_overrides",
  {
    id: integer().primaryKey({ autoIncrement: true }),
    digest: text().notNull(),
    at: integer().notNull(),
    signed: text({ mode: "json" }).$type<SignedText>().notNull(),
  },
  (table) => [index("gate_overrides_by_digest").on(table.digest)],
);
