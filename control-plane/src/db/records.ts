/** What the database holds, as plain data: the only types that the other rooms see. Times are UTC ms. */
import type { Severity } from "@vedette/protocol/alerts-api";
import { type OperatorRole, operatorRoles, type selector } from "@vedette/protocol/api";
import type { Manifest } from "@vedette/protocol/bundle";
import type { AgentAbilities } from "@vedette/protocol/capability";
import type { AssignedSlot, Reported } from "@vedette/protocol/messages";
import type { Watch, WatchSpec } from "@vedette/protocol/watch-api";
import type { z } from "zod";

export type Selector = z.infer<typeof selector>;
export type Labels = Readonly<Record<string, string>>;
export { operatorRoles };

export interface AuditEntry {
  readonly at: number;
  /** The name of an operator, the id of a device, or `control-plane`. */
  readonly actor: string;
  /** A noun and a verb, as `version.publish`. */
  readonly action: string;
  readonly subject: string;
  /** Where something changed: `before` and `after`. */
  readonly detail: Readonly<Record<string, unknown>>;
}
/** As it stands in the chain. */
export interface ChainedEntry extends AuditEntry {
  readonly id: number;
  readonly hash: string;
}

export interface OperatorRecord {
  readonly name: string;
  readonly role: OperatorRole;
  /** sha256 of the token, hex. Null: revoked. */
  readonly tokenSha256: string | null;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly tokenChangedAt: number;
  readonly removedAt: number | null;
}

/** OpenSSF Model Signing of a version's files. */
export interface ModelSignatureRecord {
  /** The sigstore bundle, JSON. */
  readonly bundle: string;
  /** SPKI PEM. */
  readonly publicKey: string;
}

export interface VersionRecord {
  readonly model: string;
  readonly version: number;
  readonly digest: string;
  /** Bytes of the manifest. */
  readonly length: number;
  /** Bytes of all files of the bundle. */
  readonly bytes: number;
  readonly task: "classification" | "regression" | "tensor";
  readonly createdAt: number;
  readonly publishedBy: string;
  readonly requires: Manifest["requires"];
  readonly lineage: Manifest["lineage"];
  readonly modelSignature: ModelSignatureRecord | null;
}

export interface MetadataRecord {
  readonly role: string;
  readonly version: number;
  readonly text: string;
  readonly createdAt: number;
}

export interface TokenRecord {
  /** sha256 of the secret, hex. */
  readonly secretSha256: string;
  readonly labels: Labels;
  readonly uses: number;
  readonly used: number;
  readonly expiresAt: number;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly revokedAt: number | null;
}

export interface DeviceRecord {
  readonly agent: string;
  /** Ed25519, hex. */
  readonly publicKey: string;
  /** What the device says of itself, overlaid by what its enrolment token says. */
  readonly labels: Labels;
  readonly enrolledAt: number;
  readonly lastSeen: number | null;
  /** Null until its first hello. */
  readonly abilities: AgentAbilities | null;
  readonly report: Reported | null;
  readonly rev: number;
  readonly slots: readonly AssignedSlot[];
  /** Null: it may log in. */
  readonly revokedAt: number | null;
  readonly revokedReason: string | null;
  /** Of the enrolment token that it joined by: sha256 of the secret, hex. */
  readonly token: string;
}

export interface RuleRecord {
  readonly id: number;
  readonly model: string;
  /** Null: devices it matches run no version of the model. */
  readonly version: number | null;
  readonly selector: Selector;
  readonly createdAt: number;
}

/** Who took an alert on, and as how bad it was. */
export interface Acknowledgement {
  readonly by: string;
  readonly at: number;
  readonly reason: string | null;
  readonly severity: Severity;
}
/** Times are UTC ms. */
export interface AlertRecord {
  readonly id: number;
  /** What its source calls it. */
  readonly key: string;
  /** Of name and labels: one of them fires at a time. */
  readonly fingerprint: string;
  readonly name: string;
  readonly labels: Labels;
  readonly annotations: Labels;
  readonly state: "firing" | "resolved";
  readonly severity: Severity;
  readonly startsAt: number;
  /** When state or severity changed last. */
  readonly changedAt: number;
  /** Since when nothing is wrong; null while something is. */
  readonly quietSince: number | null;
  readonly endsAt: number | null;
  readonly ack: Acknowledgement | null;
}
export interface ReceiverRecord {
  readonly name: string;
  /** As it may be shown: scheme and host. */
  readonly url: string;
  readonly minSeverity: Severity;
  readonly createdAt: number;
  readonly createdBy: string;
  /** Since the last delivery. */
  readonly failures: number;
  readonly failingSince: number | null;
  readonly retryAt: number;
  readonly lastError: string | null;
  readonly lastDelivery: number | null;
}
/** What a receiver was told of an alert. */
export interface ToldRecord {
  readonly receiver: string;
  readonly alert: number;
  readonly told: "firing" | "resolved";
  readonly severity: Severity;
}

/** A model that is served elsewhere. */
export interface WatchRecord {
  readonly model: string;
  readonly digest: string | null;
  readonly release: number | null;
  readonly spec: WatchSpec;
  readonly reference: Uint8Array;
  readonly createdAt: number;
  readonly createdBy: string;
  readonly window: Uint8Array | null;
  readonly drift: Watch["drift"];
  readonly predictions: number;
  readonly lastAt: number | null;
  readonly refused: number;
  readonly lastRefusal: string | null;
}
/** What was asked, row by row in the fields' order; a row is null where it is not known. */
export interface RequestHalf {
  /** UTC ms, where the event says it. */
  readonly time: number | null;
  readonly entity: string | null;
  readonly rows: readonly (readonly (number | string | null)[] | null)[];
}
/** What was answered, row by row. */
export interface ResponseHalf {
  readonly time: number | null;
  readonly latencyMs: number | null;
  readonly rows: readonly {
    readonly label: string | null;
    readonly value: number | null;
    readonly scores: Readonly<Record<string, number>>;
  }[];
}
export interface WatchEventRecord {
  readonly seq: number;
  readonly id: string;
  readonly at: number;
  readonly request: RequestHalf | null;
  readonly response: ResponseHalf | null;
}
