/** What the HTTP adapters call. Each file here parses, calls, and maps errors; nothing is decided here. */

import type { Device, Production } from "@vedette/protocol/api";
import type { PredictionCounts } from "@vedette/protocol/records-api";
import type { Backup } from "../backup/create-backup.ts";
import type { Database } from "../db/database.ts";
import type { Assignments } from "../fleet/assignments.ts";
import type { DeviceTokens } from "../fleet/device-tokens.ts";
import type { Enrollment } from "../fleet/enrollment.ts";
import type { Erasures } from "../monitoring/erasures.ts";
import type { BlobStore, Clock, Lake, Logger, Records } from "../ports.ts";
import type { PublishVersion } from "../registry/publish-version.ts";
import type { OnlineKeys } from "../release/online-keys.ts";
import type { TrustRepository } from "../release/trust-repository.ts";
import type { IsOperator } from "./operator-token.ts";
import type { RateLimit } from "./rate-limit.ts";

export interface HttpPorts {
  readonly site: string;
  /** `mqtt://host:port` for devices, `ws://…` for pages. */
  readonly brokerUrls: () => { readonly mqttUrl: string; readonly mqttWsUrl: string };
  /** Folder of the built page; may appear later. */
  readonly pageDir: string;
  readonly isOperator: IsOperator;
  readonly joinLimit: RateLimit;
  readonly clock: Clock;
  readonly logger: Logger;
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly keys: OnlineKeys;
  readonly trust: TrustRepository;
  readonly publishVersion: PublishVersion;
  readonly assignments: Assignments;
  readonly enrollment: Enrollment;
  readonly deviceTokens: DeviceTokens;
  readonly listDevices: () => Promise<Device[]>;
  readonly describeProduction: () => Promise<Production>;
  /** Predictions by model that devices lost. */
  readonly missing: () => Promise<Readonly<Record<string, number>>>;
  readonly records: Records;
  readonly erasures: Erasures;
  readonly inSpools: () => PredictionCounts["inSpools"];
  readonly backup: (passphrase?: string) => Promise<Backup>;
  /** Folder of the sinks' bearer tokens, one file each. */
  readonly sinkTokens: string;
  readonly lake: Pick<Lake, "query" | "flush">;
}
