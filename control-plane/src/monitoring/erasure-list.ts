/** How far erasures are: in the lake, and on each device. Read and written by the inbox thread, which answers at once. */
import type { EraseCommand } from "@vedette/protocol/commands";
import type { Db } from "./inbox-tables.ts";
import { tombstones } from "./tombstones.ts";

export interface ErasureState {
  readonly name: string;
  readonly model: string | null;
  /** UTC ms. */
  readonly before: number;
  readonly expires: number;
  /** When all of the lake's files were rid of it; null: not yet. */
  readonly done: number | null;
  /** Rows erased from the lake's files, and from batches that came later. */
  readonly rows: number;
  readonly lateRows: number;
  readonly devices: readonly { agent: string; rows: number | null; finished: number | null; why: string | null }[];
}

export interface ErasureList {
  /** The newest first. */
  all(): ErasureState[];
  /** What a device has still to do at a time (UTC ms). */
  pending(agent: string, now: number): EraseCommand[];
  /** What a device answered. Said twice, it counts once. */
  finished(outcome: { agent: string; name: string; rows: number; why: string | null; at: number }): void;
}

export function erasureList(db: Db): ErasureList {
  const stones = tombstones(db);
  type Row = Omit<ErasureState, "devices"> & { id: number };
  const sql = {
    all: db.prepare<[], Row>(
      "SELECT id, name, model, before, expires, done, rows, late_rows AS lateRows FROM erasures ORDER BY id DESC",
    ),
    devices: db.prepare<[number], ErasureState["devices"][number]>(
      "SELECT agent, rows, finished, why FROM erasure_devices WHERE erasure = ? ORDER BY agent",
    ),
    pending: db.prepare<[string, number], Pick<EraseCommand, "model" | "hash" | "before" | "expires"> & { id: string }>(
      `SELECT e.name AS id, e.model, e.hash, e.before, e.expires FROM erasure_devices d JOIN erasures e ON e.id = d.erasure
       WHERE d.agent = ? AND d.finished IS NULL AND e.expires > ? ORDER BY e.id LIMIT 16`,
    ),
    finish: db.prepare(
      `UPDATE erasure_devices SET rows = ?, why = ?, finished = ?
       WHERE finished IS NULL AND agent = ? AND erasure = (SELECT id FROM erasures WHERE name = ?)`,
    ),
  };
  return {
    all: () => sql.all.all().map(({ id, ...row }) => ({ ...row, devices: sql.devices.all(id) })),
    pending: (agent, now) =>
      sql.pending.all(agent, now).map((row) => ({ ...row, kind: "erase" as const, agent, salt: stones.salt() })),
    finished: ({ agent, name, rows, why, at }) => void sql.finish.run(rows, why, at, agent, name),
  };
}
