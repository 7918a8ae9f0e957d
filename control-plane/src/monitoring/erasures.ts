/**
 * An operator's request to forget somebody: the lake first, then the devices. The entity is handed on and never written
 * down; the audit says that it was asked, for which model, and how many rows went.
 */
import { createHash } from "node:crypto";
import { parseManifest } from "@vedette/protocol/bundle";
import { hashedValue } from "@vedette/protocol/log-policy";
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
      const asked = { expires: at + ttlDays * dayMs, agents };
      const erased = await records.erase({ entity, model: model ?? null, ...asked });
      let { rows } = erased;
      for (const [of, name] of await hashedNames(db, entity, model)) {
        rows += (await records.erase({ entity: name, model: of, ...asked })).rows;
      }
      const detail = { id: erased.id, model: model ?? null, rows, devices: agents.length };
      await db.audit.append({ at, actor, action: "prediction.erase", subject: erased.id, detail });
      for (const agent of agents) await tell(agent);
      return { ...erased, rows };
    },
  };
}

/** What stands for the entity in rows of versions whose log policy hashes it: the model, and the name it has there. */
async function hashedNames(
  db: Pick<Database, "versions">,
  entity: string,
  model: string | undefined,
): Promise<[model: string, name: string][]> {
  const names: [string, string][] = [];
  for (const version of await db.versions.list(model)) {
    const text = await db.versions.manifest(version.digest);
    const log = text === undefined ? undefined : parseManifest(text).log;
    if (log?.entity?.mode === "hashed" && log.salt) names.push([version.model, hashedValue(sha256, log.salt, entity)]);
  }
  return names;
}

const sha256 = (bytes: Uint8Array) => new Uint8Array(createHash("sha256").update(bytes).digest());
