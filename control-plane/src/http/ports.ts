/** What the HTTP adapters call. Each file here parses, calls, and maps errors; nothing is decided here. */

import type { Device } from "@vedette/protocol/api";
import type { Production } from "@vedette/protocol/production-api";
import type { PredictionCounts } from "@vedette/protocol/records-api";
import type { Backup } from "../backup/create-backup.ts";
import type { DeviceLogin } from "../broker-link.ts";
import type { Database } from "../db/database.ts";
import type { Assignments } from "../fleet/assignments.ts";
import type { DeviceTokens } from "../fleet/device-tokens.ts";
import type { Enrollment } from "../fleet/enrollment.ts";
import type { Revocation } from "../fleet/revocation.ts";
import type { SiteAuthority } from "../fleet/site-authority.ts";
import type { Activity } from "../monitoring/activity.ts";
import type { Alerts } from "../monitoring/alerts/alerts.ts";
import type { AlertDelivery } from "../monitoring/alerts/deliver-alerts.ts";
import type { Drift } from "../monitoring/drift/open-drift.ts";
import type { Erasures } from "../monitoring/erasures.ts";
import type { LabelIntake } from "../monitoring/labels/label-intake.ts";
import type { PublishedSpec } from "../monitoring/watch-only/published-spec.ts";
import type { Watches } from "../monitoring/watch-only/watches.ts";
import type { Actor, Operators } from "../operators/operators.ts";
import type { BlobStore, Clock, HarmOracle, Labels, Lake, Logger, Records } from "../ports.ts";
import type { PublishVersion } from "../registry/publish-version.ts";
import type { Gates } from "../release/gate/gate.ts";
import type { Releases } from "../release/hands-free/releases.ts";
import type { OnlineKeys } from "../release/online-keys.ts";
import type { Rollouts } from "../release/rollouts/rollouts.ts";
import type { TrustRepository } from "../release/trust-repository.ts";
import type { RateLimit } from "./rate-limit.ts";

export interface HttpPorts {
  readonly site: string;
  /** `mqtt://host:port` for devices, `ws://…` for pages. */
  readonly brokerUrls: () => { readonly mqttUrl: string; readonly mqttWsUrl: string };
  /** Folder of the built page; may appear later. */
  readonly pageDir: string;
  readonly operators: Operators;
  readonly revocation: Revocation;
  /** Ends the connections of all devices, which log in anew. */
  readonly disconnectAll: () => Promise<void>;
  readonly joinLimit: RateLimit;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly keys: OnlineKeys;
  readonly trust: TrustRepository;
  readonly publishVersion: PublishVersion;
  readonly assignments: Assignments;
  readonly rollouts: Pick<
    Rollouts,
    "start" | "act" | "look" | "replay" | "startExperiment" | "stopExperiment" | "actOnExperiment"
  >;
  readonly gates: Pick<Gates, "show" | "run" | "override" | "withdraw" | "rotate">;
  readonly releases: Omit<Releases, "reconcile">;
  readonly enrollment: Enrollment;
  readonly deviceTokens: DeviceTokens;
  readonly authority: Pick<SiteAuthority, "forDevice">;
  /** How devices log in to the broker, and whom they trust to have signed its certificate (PEM). */
  readonly deviceLogin: DeviceLogin;
  readonly listDevices: () => Promise<Device[]>;
  readonly describeProduction: () => Promise<Production>;
  readonly drift: Pick<Drift, "state" | "windows">;
  /** What somebody has to do before long. */
  readonly warnings: () => string[];
  /** Predictions by model that devices lost. */
  readonly missing: () => Promise<Readonly<Record<string, number>>>;
  readonly records: Records;
  readonly erasures: Erasures;
  readonly labels: Labels;
  readonly labelIntake: LabelIntake;
  readonly harmOracle: HarmOracle;
  readonly inSpools: () => PredictionCounts["inSpools"];
  readonly backup: (passphrase?: string) => Promise<Backup>;
  /** Folder of the sinks' bearer tokens, one file each. */
  readonly sinkTokens: string;
  readonly alerts: Pick<Alerts, "firing" | "ack">;
  readonly alertDelivery: Pick<AlertDelivery, "test">;
  readonly watches: Pick<Watches, "add" | "remove" | "list" | "take">;
  /** What a published version says of itself. */
  readonly publishedSpec: (model: string, version: number) => Promise<PublishedSpec>;
  /** Folder of the addresses of receivers of alerts and what is sent along to them, one file each. */
  readonly receiverHeaders: string;
  readonly lake: Pick<Lake, "query" | "flush">;
  /** What GET /metrics counts. */
  readonly metrics: { readonly activity: Activity; readonly lake: Pick<Lake, "counts"> };
}

declare module "hono" {
  interface ContextVariableMap {
    /** Who asks; set before every handler under /v1 but those of joining. */
    actor: Actor;
  }
}
