/**
 * The rooms that decide for the fleet, in the order in which they need each other. `compose.ts` opens them for a real
 * control plane; the simulated fleet (fixtures/src/soak/sim-site.ts) opens the same ones in virtual time.
 */
import type { Database } from "./db/database.ts";
import type { Commands } from "./fleet/commands.ts";
import { createDeviceTokens, type DeviceTokens } from "./fleet/device-tokens.ts";
import { createFleet } from "./fleet/fleet.ts";
import { createPresence, type Presence } from "./fleet/presence.ts";
import { openRevocation, type Revocation } from "./fleet/revocation.ts";
import { createShadowIntake } from "./fleet/take-shadow.ts";
import type { DriftIntake } from "./monitoring/drift/take-window.ts";
import type { Clock, Ingestion, Logger } from "./ports.ts";
import { createDirector, type Director } from "./release/director.ts";
import type { OnlineKeys } from "./release/online-keys.ts";
import { openTrustRepository, type TrustRepository } from "./release/trust-repository.ts";

export interface FleetRooms {
  readonly trust: TrustRepository;
  readonly director: Director;
  readonly deviceTokens: DeviceTokens;
  /** To be closed before the database. */
  readonly presence: Presence;
  readonly revocation: Revocation;
  readonly fleet: ReturnType<typeof createFleet>;
}

/** @param ports `disconnect` ends a device's connection; `hint` tells it that its assignment has this revision. */
export async function composeFleet(ports: {
  site: string;
  db: Database;
  keys: OnlineKeys;
  ingestion: Pick<Ingestion, "stored">;
  drift: DriftIntake;
  commands: Commands;
  disconnect: (agent: string) => Promise<void>;
  hint: (agent: string, rev: number) => Promise<void>;
  clock: Clock;
  /** The one that rollouts go by, where that is another. */
  steady?: Clock;
  logger: Logger;
}): Promise<FleetRooms> {
  const { site, db, keys, ingestion, drift, commands, disconnect, hint, clock, logger } = ports;
  const { steady = clock } = ports;
  const trust = await openTrustRepository({ db, keys, clock, logger });
  const revocation = await openRevocation({ db, clock, disconnect });
  const director = createDirector({ db, trust, key: () => keys.director, clock });
  const deviceTokens = createDeviceTokens({ db, key: () => keys.deviceTokens, clock, site });
  const presence = createPresence({ db, clock, logger, before: await db.devices.list() });
  const fleet = createFleet({
    site,
    db,
    trust,
    director,
    deviceTokens,
    presence,
    ingestion,
    drift,
    shadows: createShadowIntake({ db, clock: steady, logger }),
    revocation,
    commands,
    clock,
    hint,
  });
  return { trust, director, deviceTokens, presence, revocation, fleet };
}

/** The public keys that a device may sign its batches with: none where it is not known. */
export function deviceKeysOf(db: Database): (agent: string) => Promise<readonly string[]> {
  return async (agent) => {
    const device = await db.devices.find(agent);
    return device ? [device.publicKey] : [];
  };
}
