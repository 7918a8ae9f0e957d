/** The fleet as operators see it. */
import type { Device } from "@vedette/protocol/api";
import type { Database } from "../db/database.ts";
import type { DeviceRecord } from "../db/records.ts";
import type { Presence } from "./presence.ts";

/** All devices with what they should run and what they say they do. */
export async function listDevices(ports: { db: Database; presence: Presence }): Promise<Device[]> {
  return (await ports.db.devices.list()).map((device) => toDevice(device, ports.presence));
}

function toDevice(device: DeviceRecord, presence: Presence): Device {
  const lastSeen = presence.lastSeen(device.agent) ?? device.lastSeen;
  return {
    agent: device.agent,
    labels: { ...device.labels },
    enrolledAt: new Date(device.enrolledAt).toISOString(),
    online: presence.online(device.agent),
    lastSeen: lastSeen === null ? null : new Date(lastSeen).toISOString(),
    assigned: device.slots.map(({ model, release, digest }) => ({ model, version: release, digest })),
    reported: device.report,
    revoked:
      device.revokedAt === null
        ? null
        : { at: new Date(device.revokedAt).toISOString(), reason: device.revokedReason ?? "" },
  };
}
