/**
 * Which rows were asked to be forgotten. Only salted hashes of entities are kept; a batch that comes weeks later from a
 * spool is judged by them before any of its rows reaches a file.
 */
import { createHash, randomBytes } from "node:crypto";
import { answeredBefore, entityClaim } from "@vedette/protocol/erasure";
import type { PredictionBatch } from "@vedette/protocol/prediction-batch";
import type { Db } from "./inbox-tables.ts";

export interface TombstoneRow {
  readonly id: number;
  readonly model: string | null;
  readonly hash: string;
  readonly before: number;
}

export interface Tombstones {
  /** Of this site, hex; made when it is first asked for. */
  salt(): string;
  hashOf(entity: string): string;
  /** Number of the newest; 0 where there is none. */
  newest(): number;
  /** Those of a model that came after a number, the newest first. */
  after(id: number, model: string): TombstoneRow[];
  /**
   * The rows of a batch that must not be kept, and by which tombstone: those answered before the request, and all that came
   * before it, whatever their device's clock says. `received`: UTC ms.
   */
  rowsOf(batch: PredictionBatch, received: number): ReadonlyMap<number, TombstoneRow>;
  /** Whether what is told of an entity at a moment (UTC ms) was asked to be forgotten. */
  isErased(model: string, entity: string, at: number): boolean;
}

const none: ReadonlyMap<number, TombstoneRow> = new Map();

export function tombstones(db: Db): Tombstones {
  const sql = {
    fact: db.prepare<[string], { value: string }>("SELECT value FROM facts WHERE key = ?"),
    addFact: db.prepare("INSERT OR IGNORE INTO facts (key, value) VALUES (?, ?)"),
    newest: db.prepare<[], { id: number }>("SELECT coalesce(max(id), 0) AS id FROM erasures"),
    after: db.prepare<[number, string], TombstoneRow>(
      "SELECT id, model, hash, before FROM erasures WHERE id > ? AND (model IS NULL OR model = ?) ORDER BY id DESC",
    ),
  };
  const salt = () => {
    sql.addFact.run("entity_salt", randomBytes(32).toString("hex"));
    return sql.fact.get("entity_salt")?.value ?? "";
  };
  const hashOf = (entity: string) => createHash("sha256").update(entityClaim(salt(), entity)).digest("hex");

  return {
    salt,
    hashOf,
    newest: () => sql.newest.get()?.id ?? 0,
    after: (id, model) => sql.after.all(id, model),
    rowsOf({ header, columns }, received) {
      const all = sql.after.all(0, header.stream);
      if (all.length === 0) return none;
      const byHash = Map.groupBy(all, ({ hash }) => hash);
      const ofEntity = new Map<string, readonly TombstoneRow[]>();
      const rows = new Map<number, TombstoneRow>();
      const times = columns.time as Float64Array;
      for (const [i, entity] of (columns.entity as readonly (string | null)[]).entries()) {
        if (entity === null) continue;
        const asked = ofEntity.get(entity) ?? byHash.get(hashOf(entity)) ?? [];
        ofEntity.set(entity, asked);
        const hit = asked.find(
          ({ before }) => received <= before || answeredBefore(times[i] ?? 0, header.clock.offset, before),
        );
        if (hit) rows.set(i, hit);
      }
      return rows;
    },
    isErased(model, entity, at) {
      const asked = sql.after.all(0, model).filter(({ before }) => at <= before);
      if (asked.length === 0) return false;
      const hash = hashOf(entity);
      return asked.some((stone) => stone.hash === hash);
    },
  };
}
