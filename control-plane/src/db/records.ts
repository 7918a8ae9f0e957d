/** What the database holds, as plain data: the only types that the other rooms see. Times are UTC ms. */
import type { selector } from "@vedette/protocol/api";
import type { Manifest } from "@vedette/protocol/bundle";
import type { AgentAbilities } from "@vedette/protocol/capability";
import type { AssignedSlot, Reported } from "@vedette/protocol/messages";
import type { z } from "zod";

export type Selector = z.infer<typeof selector>;
export type Labels = Readonly<Record<string, string>>;

export interface AuditEntry {
  readonly at: number;
  /** `operator`, or the id of a device. */
  readonly actor: string;
  /** A noun and a verb, as `version.publish`. */
  readonly action: string;
  readonly subject: string;
  readonly detail: Readonly<Record<string, unknown>>;
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
}

export interface RuleRecord {
  readonly id: number;
  readonly model: string;
  /** Null: devices it matches run no version of the model. */
  readonly version: number | null;
  readonly selector: Selector;
  readonly createdAt: number;
}
