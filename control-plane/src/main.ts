/** The control plane: the rooms of compose.ts with a broker, the lake on disk, and the real clock. */
import { type ControlPlane, composeControlPlane, type Parts } from "./compose.ts";
import { type Config, parseConfig } from "./config.ts";
import { systemDiskSpace } from "./disk-space.ts";
import { openLake } from "./lake/open-lake.ts";
import { createLogger } from "./logger.ts";
import { startBroker } from "./mqtt/start-broker.ts";
import { systemClock } from "./system-clock.ts";

/** What those who start a control plane from outside this package need. */
export { type Config, type ControlPlane, parseConfig };

/** A whole fleet behind one address may start at once; one address may not keep the control plane busy. */
const joinLimit = { burst: 1000, perSecond: 100 };

/**
 * Starts a control plane and resolves when HTTP and MQTT listen.
 * @param overrides parts to replace, as tests do.
 * @throws VedetteError conflict (the home folder is another site's, or in use), not_ready (a port cannot be had).
 */
export function startControlPlane(config: Config, overrides: Partial<Parts> = {}): Promise<ControlPlane> {
  const logger = overrides.logger ?? createLogger(config.logLevel);
  const parts = { clock: systemClock, joinLimit, openLake, startBroker, diskSpace: systemDiskSpace, ...overrides };
  return composeControlPlane(config, { ...parts, logger });
}
