/**
 * Devices that lost their way in: no token, no connection, and nothing they still send is taken. HTTP revokes and approves,
 * `device-tokens.ts`, `fleet.ts` and the ingestion ask here. What is on the device stays there: assume it read.
 */
import { VedetteError } from "@vedette/protocol/errors";
import type { Database } from "../db/database.ts";
import type { Clock, Ingestion } from "../ports.ts";

export interface Revocation {
  revoked(agent: string): boolean;
  /** @throws VedetteError forbidden where the device is revoked. */
  refuse(agent: string): void;
  /** Answers whether it changed anything. @throws VedetteError not_found. */
  revoke(agent: string, reason: string, actor: string): Promise<boolean>;
  /** Gives the way in back. @throws VedetteError not_found. */
  approve(agent: string, actor: string): Promise<boolean>;
  /** An ingestion that takes nothing of revoked devices. */
  guard(ingestion: Ingestion): Ingestion;
}

export async function openRevocation(ports: {
  db: Database;
  clock: Clock;
  /** Ends a device's connection. */
  disconnect: (agent: string) => Promise<void>;
}): Promise<Revocation> {
  const { db, clock, disconnect } = ports;
  // In memory, because every batch asks.
  const gone = new Set((await db.devices.list()).flatMap((one) => (one.revokedAt === null ? [] : [one.agent])));
  const refuse = (agent: string): void => {
    if (gone.has(agent)) throw new VedetteError("forbidden", `device ${agent} was revoked: it may not speak here`);
  };

  async function set(agent: string, reason: string | null, actor: string): Promise<boolean> {
    const device = await db.devices.find(agent);
    if (!device) throw new VedetteError("not_found", `there is no device ${agent}: see vedette device list`);
    const before = { revoked: device.revokedReason };
    const changed = await db.devices.setRevoked(agent, reason, {
      at: clock.now(),
      actor,
      action: reason === null ? "device.approve" : "device.revoke",
      subject: agent,
      detail: { before, after: { revoked: reason } },
    });
    if (reason === null) gone.delete(agent);
    else gone.add(agent);
    return changed;
  }

  return {
    revoked: (agent) => gone.has(agent),
    refuse,
    async revoke(agent, reason, actor) {
      const changed = await set(agent, reason, actor);
      await disconnect(agent);
      return changed;
    },
    approve: (agent, actor) => set(agent, null, actor),
    guard: (ingestion) => ({
      ...ingestion,
      async take(agent, stream, frame) {
        refuse(agent);
        return ingestion.take(agent, stream, frame);
      },
    }),
  };
}
