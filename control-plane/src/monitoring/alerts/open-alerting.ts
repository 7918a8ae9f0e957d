/** The room's one door: what is wrong, who looks for it, and who is told. compose-monitoring.ts runs `look` and `delivery`. */
import type { Device } from "@vedette/protocol/api";
import type { ReleaseFacts } from "@vedette/protocol/release-api";
import type { Watch } from "@vedette/protocol/watch-api";
import type { Database } from "../../db/database.ts";
import type { Clock, HarmOracle, Ingestion, Logger } from "../../ports.ts";
import type { Gates } from "../../release/gate/gate.ts";
import type { ExpiringRole } from "../../release/trust-repository.ts";
import { type Alerts, openAlerts } from "./alerts.ts";
import { type AlertDelivery, createAlertDelivery } from "./deliver-alerts.ts";
import { postWebhook } from "./post-webhook.ts";
import { moveAddresses, readSecrets } from "./receiver-secrets.ts";
import { droppedPerformance } from "./sources/dropped-performance.ts";
import { endedRollouts } from "./sources/ended-rollouts.ts";
import { expiringMetadata } from "./sources/expiring-metadata.ts";
import { failingReceivers } from "./sources/failing-receivers.ts";
import { fallbackRate } from "./sources/fallback-rate.ts";
import { fleetDrift } from "./sources/fleet-drift.ts";
import { gatedVersions } from "./sources/gated-versions.ts";
import { goneDevices } from "./sources/gone-devices.ts";
import { haltedRollouts } from "./sources/halted-rollouts.ts";
import { lostPredictions } from "./sources/lost-predictions.ts";
import { type DiskSpace, lowDisk } from "./sources/low-disk.ts";
import { rejectedVersions } from "./sources/rejected-versions.ts";
import { silentWatches } from "./sources/silent-watches.ts";
import { stoppedReleases } from "./sources/stopped-releases.ts";
import { createWatch } from "./watch-sources.ts";

export interface Alerting {
  readonly alerts: Alerts;
  readonly delivery: AlertDelivery;
  /** One look at everything that may be wrong. A reconciler's work, as is `delivery.deliver`. */
  look(): Promise<void>;
}

export interface AlertingPorts {
  readonly site: string;
  readonly db: Database;
  readonly clock: Clock;
  readonly logger: Logger;
  /** Of the control plane; known when it listens. */
  readonly url: () => string;
  /** Addresses of receivers, and what is sent along to them: a file each. */
  readonly headersFolder: string;
  /** In [0, 1). */
  readonly random: () => number;
  readonly listDevices: () => Promise<Device[]>;
  readonly listWatches: () => Promise<Watch[]>;
  /** The newest first. */
  readonly listReleases: () => Promise<readonly ReleaseFacts[]>;
  readonly missing: Ingestion["missingByReason"];
  readonly expiring: () => ExpiringRole[];
  readonly diskSpace: () => Promise<DiskSpace>;
  readonly harmOf: HarmOracle["harmOf"];
  /** Undefined where the gate is another's. */
  readonly gateOf: Gates["show"] | undefined;
}

export async function openAlerting(ports: AlertingPorts): Promise<Alerting> {
  const { site, db, clock, logger, url, headersFolder, random, listWatches } = ports;
  const alerts = await openAlerts({ db, clock, logger, runbookUrl: () => `${url()}/runbooks` });
  await moveAddresses(headersFolder, db.alerts);
  const secrets = (receiver: string) => readSecrets(headersFolder, receiver);
  /** Read once a look: of a large fleet it is the dearest part. */
  let devices: Promise<Device[]> | undefined;
  const listDevices = () => {
    devices ??= ports.listDevices();
    return devices;
  };
  const sources = [
    goneDevices({ listDevices, clock }),
    rejectedVersions({ listDevices }),
    fallbackRate({ listDevices, clock }),
    lostPredictions({ missing: ports.missing, settings: db.settings, clock }),
    expiringMetadata(ports),
    lowDisk(ports.diskSpace),
    failingReceivers({ db, clock }),
    fleetDrift({ db, harmOf: ports.harmOf }),
    droppedPerformance({ listDevices, listWatches, harmOf: ports.harmOf, clock }),
    silentWatches({ list: listWatches, clock }),
    endedRollouts({ db, listDevices, clock }),
    haltedRollouts({ db, clock }),
    ...(ports.gateOf ? [gatedVersions({ db, gateOf: ports.gateOf, clock })] : []),
    stoppedReleases({ list: ports.listReleases }),
  ];
  const watch = createWatch({ alerts, sources, logger });
  return {
    alerts,
    delivery: createAlertDelivery({ site, url, db, clock, logger, secrets, post: postWebhook, random }),
    async look() {
      devices = undefined;
      await watch();
      devices = undefined;
    },
  };
}
