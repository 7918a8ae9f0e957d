/** The lake thread: unpacks batches and writes Parquet, away from the broker's thread and from the inbox's. */
import { mkdirSync } from "node:fs";
import { join } from "node:path";
import { workerData } from "node:worker_threads";
import type { PredictionIdParts } from "@vedette/protocol/ids";
import { z } from "zod";
import { linkFile } from "../link-file.ts";
import { openTables } from "../monitoring/inbox-tables.ts";
import { serveCalls } from "../monitoring/worker-thread.ts";
import type { ProofRow } from "../ports.ts";
import { eraseRows } from "./erase-rows.ts";
import { openLakeFiles } from "./lake-files.ts";
import { type RemovedRows, retention } from "./retention.ts";
import { type Cursor, type Sink, sinks } from "./sinks.ts";

const { inboxPath, folder } = z.object({ inboxPath: z.string(), folder: z.string() }).parse(workerData);
mkdirSync(folder, { recursive: true });
const db = openTables(inboxPath);
const files = openLakeFiles(inboxPath, folder, undefined, undefined, db);
const erasing = eraseRows(db, folder);
const retaining = retention(db, folder);
const outlets = sinks(db);
const columns = db.prepare<[], { model: string; original: string; name: string }>(
  "SELECT model, original, name FROM lake_columns",
);

const proof = db.prepare<[string, string, string, number, number], ProofRow>(
  `SELECT first_n AS firstN, next_n AS nextN, head, header, signature, public_key AS publicKey FROM proofs
   WHERE agent = ? AND model = ? AND epoch = ? AND first_n <= ? AND next_n > ?`,
);

const calls = {
  move: () => files.move(),
  merge: ({ now }: { now: number }) => files.merge(now),
  list: () => files.list(),
  sweep: () => files.sweep(),
  columns: () => columns.all(),
  proof: ({ agent, stream, epoch, n }: PredictionIdParts) => proof.get(agent, stream, epoch, n, n),
  requestErasure: (request: Parameters<typeof erasing.request>[0]) => erasing.request(request),
  erase: ({ now }: { now: number }) => erasing.apply(now),
  retain: ({ now }: { now: number }) => retaining.apply(now),
  policies: () => retaining.policies(),
  setPolicy: ({ model, days }: { model: string; days: number | null }) => retaining.setPolicy(model, days),
  removed: (): RemovedRows[] => retaining.removed(),
  sinks: (): Sink[] => outlets.all(),
  addSink: (sink: Parameters<typeof outlets.add>[0]) => outlets.add(sink),
  removeSink: ({ name }: { name: string }) => outlets.remove(name),
  delivered: ({ name, cursor, rows, at }: { name: string; cursor: Cursor; rows: number; at: number }) =>
    outlets.delivered(name, cursor, rows, at),
  failed: ({ name, why, retryAt }: { name: string; why: string; retryAt: number }) =>
    outlets.failed(name, why, retryAt),
  /** Copies the records and links the files that count; no other call of this thread comes between the two. */
  async snapshot({ to }: { to: string }) {
    mkdirSync(to, { recursive: true });
    await db.backup(join(to, "inbox.sqlite"));
    for (const { path } of files.list()) await linkFile(join(folder, path), join(to, "files", path));
  },
  close: () => files.close(),
};
export type LakeCalls = typeof calls;

serveCalls(calls);
