/** The lake thread: unpacks batches and writes Parquet, away from the broker's thread and from the inbox's. */
import { mkdirSync } from "node:fs";
import { workerData } from "node:worker_threads";
import { z } from "zod";
import { serveCalls } from "../monitoring/worker-thread.ts";
import { openLakeFiles } from "./lake-files.ts";

const data = z.object({ inboxPath: z.string(), folder: z.string() }).parse(workerData);
mkdirSync(data.folder, { recursive: true });
const files = openLakeFiles(data.inboxPath, data.folder);

const calls = {
  move: () => files.move(),
  merge: ({ now }: { now: number }) => files.merge(now),
  list: () => files.list(),
  sweep: () => files.sweep(),
  close: () => files.close(),
};
export type LakeCalls = typeof calls;

serveCalls(calls);
