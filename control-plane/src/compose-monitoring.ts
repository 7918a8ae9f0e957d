/**
 * The rooms that keep watch over what runs, here and elsewhere: rounds of drift, harm, models that are watched only,
 * alerts, erasures. `compose.ts` opens them last, since alerts look at what all the others know.
 */
import { randomBytes } from "node:crypto";
import type { Kernels } from "@vedette/wasm-kernels";
import type { Database } from "./db/database.ts";
import { type Alerting, type AlertingPorts, openAlerting } from "./monitoring/alerts/open-alerting.ts";
import type { Drift } from "./monitoring/drift/open-drift.ts";
import { createErasures, type Erasures } from "./monitoring/erasures.ts";
import { createHarmOracle } from "./monitoring/performance/harm-of.ts";
import { openWatches, type Watches } from "./monitoring/watch-only/watches.ts";
import type { Clock, HarmOracle, Ingestion, Labels, Logger, Records } from "./ports.ts";
import type { Reconciler } from "./reconciler.ts";
import type { OnlineKeys } from "./release/online-keys.ts";

const settleEveryMs = 5_000;
const notifyEveryMs = 5_000;
const driftRoundEveryMs = 15_000;
const alertsEveryMs = 30_000;
const pruneEveryMs = 600_000;

export interface MonitoringRooms {
  readonly erasures: Erasures;
  readonly harmOracle: HarmOracle;
  readonly watches: Watches;
  readonly alerting: Alerting;
  readonly reconcilers: readonly Reconciler[];
  close(): Promise<void>;
}

/**
 * @param ports.command tells a device what it has to do, if it is connected.
 * @param ports.alerting what alerts look at beside the database, watches and harm.
 */
export async function composeMonitoring(ports: {
  site: string;
  db: Database;
  keys: Pick<OnlineKeys, "watch">;
  kernels: Kernels;
  ingestion: Ingestion;
  records: Records;
  labels: Labels;
  drift: Pick<Drift, "round" | "prune">;
  command: (agent: string) => Promise<void>;
  alerting: Omit<AlertingPorts, "site" | "db" | "clock" | "logger" | "listWatches" | "missing" | "harmOf">;
  clock: Clock;
  logger: Logger;
}): Promise<MonitoringRooms> {
  const { site, db, keys, kernels, ingestion, records, labels, drift, command, clock, logger } = ports;
  const harmOracle = createHarmOracle({ db, labels, clock });
  const alerting = await openAlerting({
    ...ports.alerting,
    ...{ site, db, clock, logger },
    listWatches: () => watches.list(),
    missing: () => ingestion.missingByReason(),
    harmOf: harmOracle.harmOf,
  });
  const { alerts, delivery } = alerting;
  const watches = await openWatches({ db, kernels, signer: keys.watch, ingestion, alerts, clock, logger, randomBytes });
  const erasures = createErasures({ db, records, clock, tell: command });
  return {
    erasures: {
      async erase(request, actor) {
        // What is not in the log yet could not be found there.
        await watches.empty();
        return erasures.erase(request, actor);
      },
    },
    harmOracle,
    watches,
    alerting,
    reconcilers: [
      { name: "drift", everyMs: driftRoundEveryMs, work: () => drift.round() },
      { name: "drift windows", everyMs: pruneEveryMs, work: () => drift.prune() },
      { name: "watch-only", everyMs: settleEveryMs, work: () => watches.settle() },
      { name: "alerts", everyMs: alertsEveryMs, work: () => alerting.look() },
      { name: "alert-receivers", everyMs: notifyEveryMs, work: () => delivery.deliver() },
    ],
    close: async () => watches.close(),
  };
}
