/** The file that rows are appended to until they are cut into batches, and what is in it. Of prediction-log. */
import type { AppendFile, Storage } from "../ports.ts";
import type { LoggedVersion } from "./logged-rows.ts";

export interface SegmentFile {
  readonly path: string;
  readonly file: AppendFile;
  records: Uint8Array<ArrayBuffer>[];
  bytes: number;
  rows: number;
  /** Of its first row; infinite before there is one. */
  firstN: number;
  version: LoggedVersion | undefined;
  /** An append failed: what is in the file after that point is unknown, so no more is written to it. */
  broken: boolean;
}

/** @throws VedetteError storage_failed. */
export async function openSegmentFile(storage: Storage, path: string): Promise<SegmentFile> {
  return { ...empty(), path, file: await storage.append(path) };
}

/** Stands where none could be opened: takes no rows. */
export function noSegmentFile(): SegmentFile {
  const file = { append: () => undefined, sync: () => Promise.resolve(), close: () => Promise.resolve() };
  return { ...empty(), path: "", file, broken: true };
}

function empty(): Omit<SegmentFile, "path" | "file"> {
  return { records: [], bytes: 0, rows: 0, firstN: Number.POSITIVE_INFINITY, version: undefined, broken: false };
}
