/**
 * The composition root: makes each room and hands it to those who need it, in the order in which they depend on each
 * other (`compose-fleet.ts` → `compose-release.ts` → `compose-monitoring.ts`). `main.ts` brings the real broker and lake; tests may bring their own.
 */

import { randomBytes } from "node:crypto";
import { mkdir } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "@vedette/protocol/errors";
import { watchAgent } from "@vedette/protocol/watch-api";
import { loadKernelsNode } from "@vedette/wasm-kernels/node";
import { openBackups } from "./backup/create-backup.ts";
import { type BrokerLink, readBrokerLink } from "./broker-link.ts";
import { composeFleet, deviceKeysOf } from "./compose-fleet.ts";
import { composeMonitoring } from "./compose-monitoring.ts";
import { composeRelease } from "./compose-release.ts";
import type { Config } from "./config.ts";
import { openDatabase } from "./db/database.ts";
import { createAssignments } from "./fleet/assignments.ts";
import { authorityFolder } from "./fleet/authority-folder.ts";
import { createCommands } from "./fleet/commands.ts";
import { listDevices } from "./fleet/device-list.ts";
import { createEnrollment } from "./fleet/enrollment.ts";
import { describeProduction } from "./fleet/production.ts";
import { createRetainedChunks } from "./fleet/retained-chunks.ts";
import { openSiteAuthority } from "./fleet/site-authority.ts";
import { createApp } from "./http/app.ts";
import { listenHttp } from "./http/listen-http.ts";
import type { RateLimit } from "./http/rate-limit.ts";
import { createEventDelivery } from "./lake/deliver-events.ts";
import { countIngestion, countReports, createActivity } from "./monitoring/activity.ts";
import { alertWarnings } from "./monitoring/alerts/alert-warnings.ts";
import type { DiskSpace } from "./monitoring/alerts/sources/low-disk.ts";
import { openDrift } from "./monitoring/drift/open-drift.ts";
import { createLabelIntake } from "./monitoring/labels/label-intake.ts";
import { publishedSpec } from "./monitoring/watch-only/published-spec.ts";
import { openOperators } from "./operators/operators.ts";
import type {
  BlobStore,
  Broker,
  Clock,
  Fleet,
  Ingestion,
  Labels,
  Lake,
  Logger,
  Records,
  RetainedChunks,
} from "./ports.ts";
import { startReconciler } from "./reconciler.ts";
import { openBlobStore } from "./registry/blob-store.ts";
import { openOnlineKeys } from "./release/online-keys.ts";
import { devicesWithRollouts, productionWithRollouts, readRolloutsNow } from "./release/rollouts/in-production.ts";
import { lastMoment } from "./release/rollouts/last-moment.ts";
import type { Gate } from "./release/rollouts/read-world.ts";
import type { Judge } from "./release/rollouts/world.ts";
import { trustWarnings } from "./release/trust-warnings.ts";
import { steadyClock } from "./steady-clock.ts";

export interface Parts {
  readonly clock: Clock;
  readonly logger: Logger;
  readonly joinLimit: RateLimit;
  openLake(options: {
    folder: string;
    clock: Clock;
    logger: Logger;
    /** The public keys that a device may sign its batches with. */
    deviceKeys: (agent: string) => Promise<readonly string[]>;
  }): Promise<{ lake: Lake; ingestion: Ingestion; records: Records; labels: Labels; close(): Promise<void> }>;
  startBroker(options: {
    site: string;
    fleet: Fleet;
    blobs: BlobStore;
    ingestion: Ingestion;
    clock: Clock;
    logger: Logger;
    host: string;
    port: number;
    wsPort: number;
    /** Of the embedded broker. */
    tls: BrokerLink["tls"];
    /** Of an external broker, where there is one, and what it retains for us. */
    address: BrokerLink["address"];
    chunks: RetainedChunks;
  }): Promise<Broker>;
  /** What the evidence says of a rollout, and whether a version may be released, where it is not the rooms here that say it. */
  judge?: Judge;
  /** Where it is given no reports are made here: what it says counts. */
  gate?: Gate;
  /** Of the disk that holds a folder. */
  diskSpace(folder: string): Promise<DiskSpace>;
}

export interface ControlPlane {
  /** Where the HTTP API is reached. */
  readonly url: string;
  readonly mqttUrl: string;
  readonly mqttWsUrl: string;
  /** File of the operator's bearer token. */
  readonly operatorTokenFile: string;
  readonly config: Config;
  /** Answers requests under way, disconnects devices, writes down what is in memory. */
  close(): Promise<void>;
}

/** In [0, 1). */
const random = (): number => randomBytes(4).readUInt32LE() / 2 ** 32;

const refreshEveryMs = 600_000;
const reconcileEveryMs = 60_000;
const deliverEveryMs = 5_000;

/** Starts a control plane. What was started is closed again where a later part fails. */
export async function composeControlPlane(config: Config, parts: Parts): Promise<ControlPlane> {
  const { clock, logger } = parts;
  const { site } = config;
  /** In the order of starting; closed in the opposite order. */
  const closers: (() => Promise<void>)[] = [];
  const close = async (): Promise<void> => {
    const failures: unknown[] = [];
    for (const closer of closers.splice(0).reverse()) await closer().catch((error: unknown) => failures.push(error));
    if (failures.length > 0) throw new AggregateError(failures, "the control plane did not close cleanly");
  };

  /** Known once the HTTP port is. */
  let url = config.publicUrl ?? "";

  try {
    const data = join(config.home, "data");
    await mkdir(data, { recursive: true, mode: 0o700 });
    const db = await openDatabase(join(data, "vedette.db"));
    closers.push(() => db.close());
    const steady = steadyClock(clock, lastMoment(await db.rollouts.live()));
    await db.settings.claimSite(site);
    const keys = await openOnlineKeys(join(data, "online-keys"));
    const operatorTokenFile = join(config.home, "operator.token");
    const operators = await openOperators({ db, clock, logger, randomBytes, file: operatorTokenFile });
    const blobs = await openBlobStore(join(data, "blobs"));
    const enrolled = deviceKeysOf(db);
    const deviceKeys = async (agent: string) => (agent === watchAgent ? [keys.watch.publicKeyHex] : enrolled(agent));
    const opened = await parts.openLake({ folder: join(data, "lake"), clock, logger, deviceKeys });
    const { lake, ingestion, records, labels } = opened;
    closers.push(opened.close);
    const sinkTokens = join(data, "sink-tokens");
    await mkdir(sinkTokens, { recursive: true, mode: 0o700 });
    const receiverHeaders = join(data, "receiver-headers");
    await mkdir(receiverHeaders, { recursive: true, mode: 0o700 });

    const commands = createCommands({ records, key: () => keys.director, logger });
    const kernels = await loadKernelsNode();
    const drift = openDrift({ db, blobs, kernels, clock, logger });
    const rooms = await composeFleet({
      site,
      db,
      keys,
      ingestion,
      drift,
      commands,
      disconnect: (agent) => broker.disconnect(agent),
      clock,
      steady,
      hint: (agent, rev) => broker.hint(agent, rev),
      logger,
    });
    const { trust, director, deviceTokens, presence, revocation, fleet } = rooms;
    closers.push(() => presence.close());
    const activity = createActivity();
    const authority = await openSiteAuthority(authorityFolder(config.home), site, clock);
    const link = await readBrokerLink(config, authority);
    const counted = countIngestion(revocation.guard(ingestion), activity);
    const broker: Broker = await parts.startBroker({
      site,
      fleet: countReports(fleet, activity),
      blobs,
      ingestion: counted,
      clock,
      logger,
      host: config.host,
      port: config.mqttPort,
      wsPort: config.wsPort,
      tls: link.tls,
      address: link.address,
      chunks: createRetainedChunks({ db, director }),
    });
    closers.push(() => broker.close());
    const assignments = createAssignments({
      db,
      trust,
      director,
      clock,
      logger,
      hint: (agent, rev) => broker.hint(agent, rev),
      offer: () => broker.offer(),
    });
    const release = composeRelease(
      { site, db, keys, blobs, labels, trust, director, presence, assignments, clock, steady, logger },
      { judge: parts.judge, gate: parts.gate },
    );
    closers.push(release.close);
    const { gates, rollouts, releases } = release;
    const deliver = createEventDelivery({
      site,
      records,
      clock,
      logger,
      tokenFile: (name) => join(sinkTokens, name),
      random,
    });
    const backup = await openBackups({
      site,
      data,
      operatorTokenFile,
      clock,
      copyDatabase: (file) => db.copy(file),
      copyLake: (folder) => records.snapshot(folder),
    });
    const devices = () => listDevices({ db, presence });
    const monitoring = await composeMonitoring({
      ...{ site, db, keys, kernels, ingestion: counted, records, labels, drift, clock, logger },
      command: async (agent) => {
        if (revocation.revoked(agent)) return;
        for (const command of await commands.pending(agent)) await broker.command(agent, JSON.stringify(command));
      },
      alerting: {
        url: () => url,
        headersFolder: receiverHeaders,
        random,
        listDevices: devices,
        listReleases: () => releases.list(50),
        expiring: () => trust.expiring(),
        gateOf: parts.gate ? undefined : gates.show,
        diskSpace: () => parts.diskSpace(data),
      },
    });
    closers.push(monitoring.close);
    const { erasures, harmOracle, watches, alerting } = monitoring;
    const { alerts } = alerting;
    // What a restored backup or a long stop left is signed anew before a device asks for it. A root that does not name the keys
    // here yet (a backup without keys) is told, and waited for: `vedette keys renew` needs this control plane.
    await trust.refresh().catch((error: unknown) => {
      logger.error("reconciler.failed", { name: "metadata", why: messageOf(error) });
    });
    for (const reconciler of [
      { name: "metadata", everyMs: refreshEveryMs, work: () => trust.refresh() },
      { name: "assignments", everyMs: reconcileEveryMs, work: () => assignments.reconcile() },
      ...release.reconcilers,
      { name: "sinks", everyMs: deliverEveryMs, work: deliver },
      ...monitoring.reconcilers,
    ]) {
      closers.push(startReconciler(reconciler, { clock, logger }));
    }

    const brokerUrls = () => {
      const { mqttUrl, mqttWsUrl } = broker.urls(new URL(url).hostname);
      return { mqttUrl: config.mqttUrl ?? mqttUrl, mqttWsUrl: config.mqttWsUrl ?? mqttWsUrl };
    };
    const app = createApp({
      site,
      brokerUrls,
      pageDir: config.pageDir,
      operators,
      revocation,
      disconnectAll: () => broker.disconnectAll(),
      warnings: () => [...trustWarnings(trust.expiring()), ...alertWarnings(alerts.firing())],
      joinLimit: parts.joinLimit,
      clock,
      logger,
      db,
      blobs,
      keys,
      trust,
      publishVersion: release.publishVersion,
      assignments,
      rollouts,
      gates,
      releases,
      enrollment: createEnrollment({ db, trust, clock, randomBytes, site, publicUrl: () => url }),
      deviceTokens,
      authority,
      deviceLogin: link.deviceLogin,
      listDevices: async () => devicesWithRollouts(await devices(), await readRolloutsNow(db, clock.now())),
      describeProduction: async () => {
        const watched = await watches.list();
        const answer = await describeProduction({ site, db, director, lake, drift, clock });
        return {
          ...productionWithRollouts(answer, await readRolloutsNow(db, clock.now())),
          ...(watched.length > 0 && { watched }),
        };
      },
      drift,
      lake: {
        query: (query) => lake.query(query),
        async flush() {
          await watches.settle();
          return lake.flush();
        },
      },
      watches,
      publishedSpec: (model, version) => publishedSpec({ db, blobs }, model, version),
      missing: () => ingestion.missing(),
      metrics: { activity, lake },
      records,
      erasures,
      labels,
      labelIntake: createLabelIntake({ db, labels, clock }),
      harmOracle,
      inSpools: () => fleet.inSpools(),
      backup,
      sinkTokens,
      alerts,
      alertDelivery: alerting.delivery,
      receiverHeaders,
    });
    const listening = await listenHttp(app.fetch, config.host, config.port);
    closers.push(() => listening.close());
    url ||= listening.url;
    logger.info("control_plane.up", { url, site, ...brokerUrls() });
    return { url, ...brokerUrls(), operatorTokenFile, config, close };
  } catch (error) {
    await close().catch((late: unknown) => logger.error("control_plane.close_failed", { why: messageOf(late) }));
    throw error;
  }
}
