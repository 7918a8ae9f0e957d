/**
 * The control plane's database as the other rooms see it: asynchronous functions by noun and plain records. SQLite and
 * drizzle end here, so that another database is another set of these repositories.
 */
import { type AlertRepository, alertRepository } from "./alerts.ts";
import { type AssignmentRepository, assignmentRepository } from "./assignments.ts";
import { type AuditRepository, auditRepository } from "./audit.ts";
import { type BrokerBlobRepository, brokerBlobRepository } from "./broker-blobs.ts";
import { type DeviceRepository, deviceRepository } from "./devices.ts";
import { type DriftRepository, driftRepository } from "./drift.ts";
import { type GateRepository, gateRepository } from "./gates.ts";
import { type MetadataRepository, metadataRepository } from "./metadata.ts";
import { openConnection } from "./open-connection.ts";
import { type OperatorRepository, operatorRepository } from "./operators.ts";
import { type ReleaseRepository, releaseRepository } from "./releases.ts";
import { type RolloutRepository, rolloutRepository } from "./rollouts.ts";
import { type SettingsRepository, settingsRepository } from "./settings.ts";
import { type ShadowRepository, shadowRepository } from "./shadows.ts";
import { type TokenRepository, tokenRepository } from "./tokens.ts";
import { type VersionRepository, versionRepository } from "./versions.ts";
import { type WatchRepository, watchRepository } from "./watches.ts";

export interface Database {
  readonly settings: SettingsRepository;
  readonly versions: VersionRepository;
  readonly metadata: MetadataRepository;
  readonly tokens: TokenRepository;
  readonly devices: DeviceRepository;
  readonly assignments: AssignmentRepository;
  readonly rollouts: RolloutRepository;
  readonly gates: GateRepository;
  readonly releases: ReleaseRepository;
  readonly operators: OperatorRepository;
  readonly audit: AuditRepository;
  readonly brokerBlobs: BrokerBlobRepository;
  readonly drift: DriftRepository;
  readonly shadows: ShadowRepository;
  readonly alerts: AlertRepository;
  readonly watches: WatchRepository;
  /** A consistent copy in another file, while all goes on. */
  copy(to: string): Promise<void>;
  close(): Promise<void>;
}

/** Opens (or makes) the database in a file and brings its tables up to date. */
export async function openDatabase(file: string): Promise<Database> {
  const { connection, copy, close } = openConnection(file);
  return {
    settings: settingsRepository(connection),
    versions: versionRepository(connection),
    metadata: metadataRepository(connection),
    tokens: tokenRepository(connection),
    devices: deviceRepository(connection),
    assignments: assignmentRepository(connection),
    rollouts: rolloutRepository(connection),
    gates: gateRepository(connection),
    releases: releaseRepository(connection),
    operators: operatorRepository(connection),
    audit: auditRepository(connection),
    brokerBlobs: brokerBlobRepository(connection),
    drift: driftRepository(connection),
    shadows: shadowRepository(connection),
    alerts: alertRepository(connection),
    watches: watchRepository(connection),
    copy,
    close: async () => close(),
  };
}
