/**
 * An operator's request to forget somebody: the lake first, then the devices. The entity is handed on and never written
 * down; the audit says that it was asked, for which model, and how many rows went.
 */
import type { Erasure, eraseRequest } from "@vedette/protocol/records-api";
import type { z } from "zod";
import type { Database } from "../db/database.ts";
import type { Clock, Records } from "../ports.ts";

const dayMs = 86_400_000;

export interface Erasures {
  erase(request: z.infer<typeof eraseRequest>, actor: string): Promise<Erasure>;
}

export function createErasures(ports: {
  db: Database;
  records: Records;
  clock: Clock;
  /** Tells a device what it has to do, if it is connected. */
  tell(agent: string): Promise<void>;
}): Erasures {
  const { db, records, clock, tell } = ports;
  return {
    async erase({ entity, model, ttlDays }, actor) {
      const at = clock.now();
      const agents = (await db.devices.list()).map(({ agent }) => agent);
      const erased = await records.erase({ entity, model: model ?? null, expires: at + ttlDays * dayMs, agents });
      const detail = { id: erased.id, model: model ?? null, rows: erased.rows, devices: agents.length };
      await db.audit.append({ at, actor, action: "prediction.erase", subject: erased.id, detail });
      for (const agent of agents) await tell(agent);
      return erased;
    },
  };
}
