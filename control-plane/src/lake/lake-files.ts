/**
 * Moves batches out of the inbox into Parquet files and keeps the list of files that count. A file counts from the commit
 * that registers it, which is the same that deletes its batches (or the files it replaces): a crash before leaves the
 * batches and an orphan, a crash after leaves the file. Orphans are swept at the start.
 */
import { readdir, rm, stat } from "node:fs/promises";
import { join } from "node:path";
import { messageOf } from "@vedette/protocol/errors";
import { formatPredictionId } from "@vedette/protocol/ids";
import { openFrame, type PredictionBatch } from "@vedette/protocol/prediction-batch";
import { columnNames } from "../monitoring/column-names.ts";
import { unpackFrame } from "../monitoring/frame-check.ts";
import { type Db, openTables } from "../monitoring/inbox-tables.ts";
import { forgetLabels } from "../monitoring/labels/forget-labels.ts";
import { tombstones } from "../monitoring/tombstones.ts";
import type { ReceivedBatch } from "./columns.ts";
import { type FileRow, fileOf, fileTable, hourOf, partition } from "./file-table.ts";
import { mergeFiles, writeBatches } from "./write-parquet.ts";

/** Batches that become files in one transaction, at most. */
const roundBatches = 500;
/**
 * Memory that one round's batches may take, bytes. A batch is small on the wire and wide in the lake, where each of its rows
 * has every column of its file: without this a device could have some hundred KiB take gigabytes.
 */
const roundBytes = 128 * 1024 * 1024;
/** Bytes of the files that one merge reads. An hour that has more becomes several files. */
const mergeBytes = 64 * 1024 * 1024;

const retryMergeMs = 3_600_000;

/** Moments at which a test may stop the world. */
export type Step = "batches-written" | "batches-registered" | "merge-written" | "merge-registered";
export type OnStep<S extends string> = (name: S) => void;

export interface LakeFiles {
  /** Moves all batches that were there at the call. Answers how many. */
  move(): Promise<number>;
  /**
   * Makes one file (or few, where they are large) of each hour that is over and has several. Answers the paths it
   * replaced, no longer registered, and what could not be merged: those files go on counting as they are.
   */
  merge(now: number): Promise<{ replaced: string[]; failed: { hour: string; why: string }[] }>;
  /** The files that count, by their paths within the folder. */
  list(): { path: string; model: string; lastBatch: number }[];
  /** Removes files that do not count. Only where no reader holds an older list. */
  sweep(): Promise<string[]>;
  close(): void;
}

type BatchRow = { id: number; model: string; received: number; frame: Buffer };
type Spoiled = { row: BatchRow; why: string };
type FrameGroup = {
  rows: BatchRow[];
  batches: Omit<ReceivedBatch, "erased">[];
  columns: Set<string>;
  count: number;
  bytes: number;
};

/** Opens the files of a lake. `step` is called after each step. */
export function openLakeFiles(
  inboxPath: string,
  folder: string,
  step: OnStep<Step> = () => {},
  { mostBytes = roundBytes, mostMerged = mergeBytes } = {},
  db: Db = openTables(inboxPath),
): LakeFiles {
  const names = columnNames(db);
  const table = fileTable(db);
  const erased = tombstones(db);
  const labels = forgetLabels(db);
  const sql = {
    last: db.prepare<[], { id: number | null }>("SELECT max(id) AS id FROM batches"),
    round: db.prepare<[number], BatchRow>(
      `SELECT id, model, received, frame FROM batches WHERE id <= ? ORDER BY id LIMIT ${roundBatches}`,
    ),
    remove: db.prepare("DELETE FROM batches WHERE id = ?"),
    setAside: db.prepare("INSERT INTO refused_frames (at, agent, stream, why, frame) VALUES (?, '', ?, ?, ?)"),
    lateRow: db.prepare("UPDATE erasures SET late_rows = late_rows + 1 WHERE id = ?"),
    closedHours: db.prepare<[string], { model: string; hour: string }>(
      `SELECT model, hour FROM lake_files WHERE hour < ?
       GROUP BY model, hour HAVING count(*) > 1 AND sum(compacted) < count(*)`,
    ),
  };

  /** Hours whose merge failed, and when it may be tried again: it will hardly be better fifteen seconds later. */
  const retryAt = new Map<string, number>();

  const mergeHour = async (model: string, hour: string): Promise<string[]> => {
    const replaced: string[] = [];
    for (const old of await inGroups(table.ofHour(model, hour))) {
      if (old.length === 1) {
        table.setCompacted(old[0]!.path);
        continue;
      }
      const lastBatch = Math.max(...old.map((row) => row.last_batch));
      const merged = fileOf(model, hour, old[0]!.first_batch, lastBatch, "merged-");
      const sources = old.map((row) => join(folder, row.path));
      await mergeFiles(join(folder, merged.path), sources);
      step("merge-written");
      const rows = old.reduce((sum, row) => sum + row.rows, 0);
      db.transaction(() => {
        for (const { path } of old) table.unregister(path);
        // Only what all of them were checked for.
        table.register({ ...merged, rows, compacted: 1, erased_to: Math.min(...old.map((row) => row.erased_to)) });
      }).immediate();
      step("merge-registered");
      replaced.push(...sources);
    }
    return replaced;
  };
  const inGroups = async (files: readonly FileRow[]): Promise<FileRow[][]> => {
    const groups: FileRow[][] = [];
    let left = 0;
    for (const file of files) {
      const { size } = await stat(join(folder, file.path));
      if (size > left) {
        groups.push([]);
        left = mostMerged;
      }
      left -= size;
      groups.at(-1)?.push(file);
    }
    return groups;
  };

  /** Moves the first of these batches, as many as fit. Answers how many. */
  const moveRound = async (waiting: readonly BatchRow[]) => {
    const { groups, spoiled } = firstThatFit(waiting, mostBytes);
    const taken = [...groups.flatMap(({ rows }) => rows), ...spoiled.map(({ row }) => row)];
    const files: FileRow[] = [];
    const late: number[] = [];
    const forgotten: Parameters<typeof labels.ofRows>[] = [];
    const erasedTo = erased.newest();
    for (const { rows, batches: unchecked } of groups) {
      const [first] = rows as [BatchRow, ...BatchRow[]];
      const file = fileOf(first.model, hourOf(first.received), first.id, rows.at(-1)?.id ?? first.id, "");
      const nameOf = (original: string) => names.nameOf(first.model, original);
      const batches = unchecked.map((one) => ({ ...one, erased: erased.rowsOf(one.batch, one.received) }));
      for (const { batch, erased: rows } of batches) {
        for (const { id } of rows.values()) late.push(id);
        if (rows.size > 0) forgotten.push([first.model, ...namesOf(batch, rows.keys())]);
      }
      const count = await writeBatches(join(folder, file.path), batches, nameOf);
      files.push({ ...file, rows: count, erased_to: erasedTo });
    }
    step("batches-written");
    db.transaction(() => {
      for (const file of files) table.register(file);
      for (const id of late) sql.lateRow.run(id);
      for (const rows of forgotten) labels.ofRows(...rows);
      for (const { row, why } of spoiled) sql.setAside.run(row.received, row.model, why, row.frame);
      for (const { id } of taken) sql.remove.run(id);
    }).immediate();
    step("batches-registered");
    return taken.length;
  };

  return {
    async move() {
      const last = sql.last.get()?.id ?? 0;
      let moved = 0;
      for (let rows = sql.round.all(last); rows.length > 0; rows = sql.round.all(last)) {
        moved += await moveRound(rows);
      }
      return moved;
    },
    async merge(now) {
      const merged: Awaited<ReturnType<LakeFiles["merge"]>> = { replaced: [], failed: [] };
      for (const { model, hour } of sql.closedHours.all(hourOf(now))) {
        const key = partition(model, hour);
        if ((retryAt.get(key) ?? 0) > now) continue;
        try {
          merged.replaced.push(...(await mergeHour(model, hour)));
        } catch (error) {
          retryAt.set(key, now + retryMergeMs);
          merged.failed.push({ hour: key, why: messageOf(error) });
        }
      }
      return merged;
    },
    list: () => table.all().map(({ path, model, last_batch }) => ({ path, model, lastBatch: last_batch })),
    async sweep() {
      const counted = new Set(table.all().map((file) => join(folder, file.path)));
      const there = await readdir(folder, { recursive: true, withFileTypes: true });
      const orphans = there
        .filter((entry) => entry.isFile())
        .map((entry) => join(entry.parentPath, entry.name))
        .filter((path) => !counted.has(path));
      for (const path of orphans) await rm(path, { force: true });
      return orphans;
    },
    close: () => void db.close(),
  };
}

/** Ids and requests of some rows: what a label may name them by. */
function namesOf({ header, columns }: PredictionBatch, rows: Iterable<number>): [ids: string[], requests: string[]] {
  const { agent, stream, epoch, firstN } = header;
  const requests = columns.request as readonly (string | null)[];
  const places = [...rows];
  return [
    places.map((row) => formatPredictionId({ agent, stream, epoch, n: firstN + row })),
    places.flatMap((row) => requests[row] ?? []),
  ];
}

/** The batch in a row. One stored by an earlier reader and unreadable to this one is set aside, or it would hold the lake up. */
function unpacked(row: BatchRow, spoiled: Spoiled[]): PredictionBatch | undefined {
  try {
    return unpackFrame(row.frame);
  } catch (error) {
    spoiled.push({ row, why: `stored, and not readable any more: ${messageOf(error)}` });
    return undefined;
  }
}

/** The first batches, by the file they go to, that take no more memory than this; one at least. */
function firstThatFit(waiting: readonly BatchRow[], mostBytes: number): { groups: FrameGroup[]; spoiled: Spoiled[] } {
  const groups = new Map<string, FrameGroup>();
  const spoiled: Spoiled[] = [];
  let total = 0;
  for (const row of waiting) {
    const batch = unpacked(row, spoiled);
    if (!batch) continue;
    const key = partition(row.model, hourOf(row.received));
    const group = groups.get(key) ?? { rows: [], batches: [], columns: new Set(), count: 0, bytes: 0 };
    const before = sizeOf(group);
    const columns = new Set([...group.columns, ...batch.header.columns.map(({ name }) => name)]);
    const count = group.count + batch.header.count;
    const bytes = group.bytes + openFrame(row.frame).bodyLength;
    total += sizeOf({ columns, count, bytes }) - before;
    if (total > mostBytes && groups.size > 0) break;
    group.rows.push(row);
    group.batches.push({ id: row.id, batch, received: row.received });
    groups.set(key, Object.assign(group, { columns, count, bytes }));
  }
  return { groups: [...groups.values()], spoiled };
}

/** Bytes of a group in memory: as it came, and as a table of 8 bytes a cell. */
function sizeOf({ columns, count, bytes }: Pick<FrameGroup, "columns" | "count" | "bytes">): number {
  return bytes + columns.size * count * 8;
}
