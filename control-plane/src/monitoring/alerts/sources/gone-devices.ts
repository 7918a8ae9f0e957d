/**
 * Devices that are silent. Pages come and go with their readers and are not missed; a revoked device is not either. A device
 * that sleeps by design says so by its label `silence` (`24h`, or `never`).
 */
import type { Device } from "@vedette/protocol/api";
import type { Clock } from "../../../ports.ts";
import type { Raise } from "../alerts.ts";
import type { AlertSource } from "../watch-sources.ts";

/** Five heartbeats. */
export const defaultSilenceMs = 5 * 60_000;
/** The fleet is gone where half of those heard of in a day are, three at least. */
const lately = 86_400_000;
const fewest = 3;
const units: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000 };

export function goneDevices(ports: { listDevices: () => Promise<Device[]>; clock: Clock }): AlertSource {
  const { listDevices, clock } = ports;
  // Nobody was heard while this control plane was not there to hear.
  const startedAt = clock.now();
  return {
    names: ["VedetteDeviceGone", "VedetteFleetGone"],
    async look(firing) {
      const now = clock.now();
      const heard = (await listDevices()).flatMap(({ agent, lastSeen, reported, revoked, labels }) => {
        if (revoked || lastSeen === null || reported?.abilities.runtime.startsWith("browser")) return [];
        return [{ agent, at: Date.parse(lastSeen), silenceMs: silenceOf(labels.silence) }];
      });
      const isGone = ({ at, silenceMs }: (typeof heard)[number]) => now - Math.max(at, startedAt) > silenceMs;
      const gone = heard.filter(isGone);
      const late = heard.filter(({ at }) => now - at <= lately);
      const goneLately = late.filter(isGone);
      const waiting = heard.filter((one) => one.at < startedAt && !isGone(one)).map(({ agent }) => keyOf(agent));
      const grace = now - startedAt <= defaultSilenceMs;
      const unsure = new Set([...waiting, ...(grace ? [fleetKey] : [])].filter((key) => firing.has(key)));
      const fleet =
        goneLately.length >= Math.max(fewest, late.length / 2) ? [fleetGone(goneLately.length, late.length)] : [];
      return { wrong: [...fleet, ...gone.map(({ agent, at }) => deviceGone(agent, at))], unsure };
    },
  };
}

const keyOf = (agent: string) => `device-gone/${agent}`;
const fleetKey = "fleet-gone";

function deviceGone(agent: string, at: number): Raise {
  return {
    name: "VedetteDeviceGone",
    severity: "warning",
    labels: { agent },
    annotations: {
      summary: `Device ${agent} is silent`,
      description: `Last heard of ${new Date(at).toISOString()}. It serves on from its own disk where it runs; its predictions wait there.`,
    },
    key: keyOf(agent),
  };
}

function fleetGone(gone: number, of: number): Raise {
  return {
    name: "VedetteFleetGone",
    severity: "critical",
    labels: {},
    annotations: {
      summary: "At least half of the fleet went silent",
      description: `${gone} of ${of} devices that were heard of in the last day are silent: broker, network or control plane before devices.`,
    },
    key: fleetKey,
  };
}

/** ms of `10m`, `24h`, `7d`; for ever where it is `never`, and the default where it is nothing of these. */
function silenceOf(label: string | undefined): number {
  if (label === "never") return Number.POSITIVE_INFINITY;
  const [, count, unit = ""] = /^([0-9]{1,4})([mhd])$/.exec(label ?? "") ?? [];
  return count === undefined ? defaultSilenceMs : Math.max(defaultSilenceMs, Number(count) * (units[unit] ?? 0));
}
