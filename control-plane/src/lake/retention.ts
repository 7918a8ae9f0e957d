/**
 * How long rows are kept, by model. Whole files past it go; how many rows of which version, source and reason they held
 * is added up in the commit that takes them off the list, so that totals stay explained for ever.
 */
import { join } from "node:path";
import { VedetteError } from "@vedette/protocol/errors";
import { z } from "zod";
import type { Db } from "../monitoring/inbox-tables.ts";
import { forgetLabels } from "../monitoring/labels/forget-labels.ts";
import { quoteText } from "../sql-text.ts";
import { type FileRow, fileTable } from "./file-table.ts";
import type { OnStep } from "./lake-files.ts";
import { withDuckDb } from "./write-parquet.ts";

/** Moments at which a test may stop the world. */
export type RetentionStep = "removal-counted" | "removal-registered";

export interface RemovedRows {
  readonly model: string;
  /** "" and −1 where there was no version. */
  readonly digest: string;
  readonly release: number;
  readonly source: string;
  /** "" where the model answered. */
  readonly reason: string;
  readonly erased: number;
  readonly rows: number;
}

export interface Retention {
  /** Days after which a model's rows go; models that are not named keep theirs. */
  policies(): { model: string; days: number }[];
  /** Null: keep. */
  setPolicy(model: string, days: number | null): void;
  /** Takes files past their model's days off the list; answers their paths, to be deleted when no reader is left. */
  apply(now: number): Promise<string[]>;
  removed(): RemovedRows[];
}

const dayMs = 86_400_000;
const hourMs = 3_600_000;
const counted = z.object({
  digest: z.string(),
  release: z.coerce.number().int(),
  source: z.string(),
  reason: z.string(),
  erased: z.boolean(),
  rows: z.coerce.number().int(),
});

export function retention(db: Db, folder: string, step: OnStep<RetentionStep> = () => {}): Retention {
  const table = fileTable(db);
  const labels = forgetLabels(db);
  const sql = {
    policies: db.prepare<[], { model: string; days: number }>("SELECT model, days FROM retention ORDER BY model"),
    set: db.prepare(
      "INSERT INTO retention (model, days) VALUES (?, ?) ON CONFLICT (model) DO UPDATE SET days = excluded.days",
    ),
    drop: db.prepare("DELETE FROM retention WHERE model = ?"),
    add: db.prepare(
      `INSERT INTO removed_rows (model, digest, release, source, reason, erased, rows)
       VALUES (@model, @digest, @release, @source, @reason, @erased, @rows)
       ON CONFLICT DO UPDATE SET rows = rows + excluded.rows`,
    ),
    removed: db.prepare<[], RemovedRows>("SELECT * FROM removed_rows ORDER BY model, release, source"),
  };

  const remove = async (file: FileRow): Promise<string> => {
    const path = join(folder, file.path);
    const counts = await countRows(path);
    const total = counts.reduce((sum, { rows }) => sum + rows, 0);
    if (total !== file.rows) {
      throw new VedetteError(
        "storage_failed",
        `${file.path} has ${total} rows where ${file.rows} were written: it is left as it is`,
      );
    }
    step("removal-counted");
    db.transaction(() => {
      for (const count of counts) sql.add.run({ ...count, model: file.model, erased: Number(count.erased) });
      table.unregister(file.path);
    }).immediate();
    step("removal-registered");
    return path;
  };

  return {
    policies: () => sql.policies.all(),
    setPolicy(model, days) {
      if (days === null) sql.drop.run(model);
      else sql.set.run(model, days);
    },
    async apply(now) {
      const policies = new Map(sql.policies.all().map(({ model, days }) => [model, days]));
      const removed: string[] = [];
      // Labels and metrics go as many days after they were told.
      for (const [model, days] of policies)
        db.transaction(() => labels.olderThan(model, now - days * dayMs)).immediate();
      for (const file of table.all()) {
        const days = policies.get(file.model);
        // The last row of the hour came just before its end.
        const end = Date.parse(`${file.hour}:00:00Z`) + hourMs;
        if (days !== undefined && end + days * dayMs <= now) removed.push(await remove(file));
      }
      return removed;
    },
    removed: () => sql.removed.all(),
  };
}

async function countRows(path: string) {
  return withDuckDb(async (connection) => {
    const source = `read_parquet(${quoteText(path)}, hive_partitioning = false)`;
    const described = await connection.runAndReadAll(`DESCRIBE SELECT * FROM ${source}`);
    const erased = described.getRows().some(([name]) => name === "erased") ? "coalesce(erased, false)" : "false";
    const reader = await connection.runAndReadAll(
      `SELECT coalesce(digest, '') AS digest, coalesce(version, -1) AS release, source, coalesce(reason, '') AS reason,
              ${erased} AS erased, count(*) AS rows
       FROM ${source} GROUP BY ALL`,
    );
    return z.array(counted).parse(reader.getRowObjects());
  });
}
