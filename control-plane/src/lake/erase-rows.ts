/**
 * Takes what is known of an entity out of the lake: files that hold rows of it are written anew without, and registered in
 * the commit that takes the old ones off the list. The request is on the disk before the first file is looked at, so a
 * kill at any moment is made good by calling `apply` again.
 */
import { randomBytes } from "node:crypto";
import { join } from "node:path";
import type { DuckDBConnection } from "@duckdb/node-api";
import { unpackFrame } from "../monitoring/frame-check.ts";
import type { Db } from "../monitoring/inbox-tables.ts";
import { forgetLabels } from "../monitoring/labels/forget-labels.ts";
import { type TombstoneRow, tombstones } from "../monitoring/tombstones.ts";
import { quoteName, quoteText } from "../sql-text.ts";
import { keptOfErased } from "./columns.ts";
import { type FileRow, fileOf, fileTable } from "./file-table.ts";
import type { OnStep } from "./lake-files.ts";
import { copyTo, withDuckDb } from "./write-parquet.ts";

/** Moments at which a test may stop the world. */
export type EraseStep = "erasure-requested" | "erasure-written" | "erasure-registered";

export interface EraseRows {
  /**
   * Writes the tombstone down and forgets refused frames that may hold the entity; `apply` does the rest.
   * @param request.before UTC ms: rows answered later stay. @param request.agents devices that shall forget too.
   */
  request(request: {
    entity: string;
    model: string | null;
    before: number;
    expires: number;
    agents: readonly string[];
  }): { name: string };
  /** Brings all files up to the newest tombstone. Answers the paths that were replaced. */
  apply(now: number): Promise<string[]>;
}

export function eraseRows(db: Db, folder: string, step: OnStep<EraseStep> = () => {}): EraseRows {
  const stones = tombstones(db);
  const table = fileTable(db);
  const labels = forgetLabels(db);
  const sql = {
    add: db.prepare("INSERT INTO erasures (name, model, hash, before, expires) VALUES (?, ?, ?, ?, ?)"),
    addDevice: db.prepare("INSERT INTO erasure_devices (erasure, agent) VALUES (?, ?)"),
    count: db.prepare("UPDATE erasures SET rows = rows + ? WHERE id = ?"),
    finish: db.prepare("UPDATE erasures SET done = ? WHERE done IS NULL AND id <= ?"),
    refused: db.prepare<[], { id: number; at: number; frame: Buffer }>("SELECT id, at, frame FROM refused_frames"),
    forgetRefused: db.prepare("DELETE FROM refused_frames WHERE id = ?"),
  };

  /** Frames set aside for a person to look at are no records: one that may hold the entity goes whole. */
  const forgetRefusedFrames = () => {
    for (const { id, at, frame } of sql.refused.all()) {
      if (mayHold(frame, at)) sql.forgetRefused.run(id);
    }
  };
  const mayHold = (frame: Buffer, at: number): boolean => {
    try {
      return stones.rowsOf(unpackFrame(frame), at).size > 0;
    } catch {
      // What cannot be unpacked may hold anybody.
      return true;
    }
  };

  const eraseIn = async (file: FileRow, pending: readonly TombstoneRow[]): Promise<string | undefined> => {
    const newest = Math.max(...pending.map(({ id }) => id));
    const path = join(folder, file.path);
    const made = fileOf(file.model, file.hour, file.first_batch, file.last_batch, `erased-${newest}-`);
    const { counts, ids, requests } = await withDuckDb(
      (connection) => rewrite(connection, path, join(folder, made.path), pending),
      {
        memory_limit: "512MB",
        preserve_insertion_order: "false",
      },
    );
    if (counts.size === 0) {
      table.setErasedTo(file.path, newest);
      return undefined;
    }
    step("erasure-written");
    db.transaction(() => {
      table.unregister(file.path);
      table.register({ ...made, rows: file.rows, compacted: file.compacted, erased_to: newest });
      for (const [id, rows] of counts) sql.count.run(rows, id);
      labels.ofRows(file.model, ids, requests);
    }).immediate();
    step("erasure-registered");
    return path;
  };

  /** Writes the file without the rows' content, where it holds any. Answers how many rows by tombstone, and what labels may name. */
  const rewrite = async (connection: DuckDBConnection, from: string, to: string, pending: readonly TombstoneRow[]) => {
    const source = `read_parquet(${quoteText(from)}, hive_partitioning = false)`;
    const counts = new Map<number, number>();
    const [ids, requests]: [string[], string[]] = [[], []];
    const entities = await connection.runAndReadAll(`SELECT DISTINCT entity FROM ${source} WHERE entity IS NOT NULL`);
    const hits = entities.getRows().flatMap(([entity]) => {
      const hash = stones.hashOf(String(entity));
      const asked = pending.filter((stone) => stone.hash === hash);
      if (asked.length === 0) return [];
      // Rows that were here when it was asked were answered before, whatever their device's clock said.
      const at = `make_timestamp(${Math.max(...asked.map(({ before }) => before)) * 1000}::BIGINT)`;
      return [
        {
          stone: asked[0] as TombstoneRow,
          rows: `(entity = ${quoteText(String(entity))} AND (time <= ${at} OR received <= ${at}))`,
        },
      ];
    });
    for (const { stone, rows } of hits) {
      const found = (await connection.runAndReadAll(`SELECT id, request FROM ${source} WHERE ${rows}`)).getRows();
      for (const [id, request] of found) {
        ids.push(String(id));
        if (request !== null) requests.push(String(request));
      }
      if (found.length > 0) counts.set(stone.id, (counts.get(stone.id) ?? 0) + found.length);
    }
    if (counts.size === 0) return { counts, ids, requests };
    const isHit = `coalesce(${hits.map(({ rows }) => rows).join(" OR ")}, false)`;
    const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${source}`);
    const names = described.getRows().map(([name]) => String(name));
    const columns = names
      .filter((name) => name !== "erased")
      .map((name) =>
        keptOfErased.has(name)
          ? quoteName(name)
          : `CASE WHEN ${isHit} THEN NULL ELSE ${quoteName(name)} END AS ${quoteName(name)}`,
      );
    const before = names.includes("erased") ? "coalesce(erased, false) OR " : "";
    await copyTo(
      connection,
      `SELECT ${columns.join(", ")}, ${before}${isHit} AS erased FROM ${source}`,
      to,
      ", ROW_GROUP_SIZE_BYTES '32MB'",
    );
    return { counts, ids, requests };
  };

  return {
    request({ entity, model, before, expires, agents }) {
      const name = randomBytes(8).toString("hex");
      db.transaction(() => {
        const { lastInsertRowid } = sql.add.run(name, model, stones.hashOf(entity), before, expires);
        for (const agent of agents) sql.addDevice.run(lastInsertRowid, agent);
        labels.ofEntity(entity, model, before);
        forgetRefusedFrames();
      }).immediate();
      step("erasure-requested");
      return { name };
    },
    async apply(now) {
      const newest = stones.newest();
      const replaced: string[] = [];
      for (const file of table.all()) {
        const pending = stones.after(file.erased_to, file.model);
        if (pending.length === 0) continue;
        const path = await eraseIn(file, pending);
        if (path !== undefined) replaced.push(path);
      }
      sql.finish.run(now, newest);
      return replaced;
    },
  };
}
