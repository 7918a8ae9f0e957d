/** Exports of predictions, a few rows at a time: CloudEvents, JSON lines or Parquet. `records.ts` hands in the reading. */
import { createReadStream } from "node:fs";
import { mkdir, mkdtemp, rm } from "node:fs/promises";
import { join } from "node:path";
import type { ExportRequest } from "@vedette/protocol/records-api";
import type { RecordRow, Records } from "../ports.ts";
import { quoteText } from "../sql-text.ts";
import { cloudEvents, type Originals } from "./cloud-events.ts";
import { withPredictions } from "./query.ts";
import { toRecord } from "./record-row.ts";
import { copyTo } from "./write-parquet.ts";

const none: Originals = new Map();

/** Works on the files of a model, or of all, which stay until the work is done. */
export type ReadFiles = <T>(
  wanted: { model?: string | undefined; fromBatch?: number },
  work: (paths: readonly string[]) => Promise<T>,
) => Promise<T>;

/**
 * @param parts `drafts` is a folder for what is written before it is sent; `memory` bounds DuckDB's.
 * @throws VedetteError as `read`, while the bytes are taken.
 */
export function exportRecords(
  request: ExportRequest,
  parts: {
    site: string;
    originals: ReadonlyMap<string, Originals>;
    read: ReadFiles;
    drafts: string;
    memory: string;
  },
): Awaited<ReturnType<Records["export"]>> {
  const { site, originals, read, drafts, memory } = parts;
  if (request.format === "parquet") return { type: "application/vnd.apache.parquet", bytes: parquet() };
  const lines = request.format === "ndjson" ? asLine : asEvents(site, originals);
  return { type: "application/x-ndjson", bytes: exportLines(lines) };

  async function* exportLines(lines: (row: RecordRow) => string): AsyncGenerator<Uint8Array> {
    const encoder = new TextEncoder();
    for await (const rows of chunks()) {
      yield encoder.encode(rows.map(lines).join(""));
    }
  }

  /** DuckDB's own chunks of rows, handed over one at a time while the files are held. */
  async function* chunks(): AsyncGenerator<RecordRow[]> {
    const queue: RecordRow[][] = [];
    let [wake, room] = [Promise.withResolvers<void>(), Promise.withResolvers<void>()];
    let over = false;
    const producing = read(request, (paths) =>
      withPredictions(paths, memory, async (connection) => {
        const result = await connection.stream(selectOf(request));
        const columns = result.deduplicatedColumnNames();
        for await (const rows of result.yieldRows()) {
          if (over) return;
          queue.push(rows.map((row) => toRecord(columns, row)));
          wake.resolve();
          if (queue.length >= 4) await room.promise;
        }
      }),
    );
    let done = false;
    const ended = producing.finally(() => {
      done = true;
      wake.resolve();
    });
    ended.catch(() => undefined); // told below
    try {
      while (!done || queue.length > 0) {
        const next = queue.shift();
        if (next) {
          room.resolve();
          room = Promise.withResolvers<void>();
          yield next;
        } else {
          await wake.promise;
          wake = Promise.withResolvers<void>();
        }
      }
      await ended;
    } finally {
      over = true;
      room.resolve();
      await ended.catch(() => undefined);
    }
  }

  async function* parquet(): AsyncGenerator<Uint8Array> {
    await mkdir(drafts, { recursive: true });
    const draft = await mkdtemp(join(drafts, "e-"));
    try {
      const path = join(draft, "export.parquet");
      await read(request, (paths) =>
        withPredictions(paths, memory, (connection) => copyTo(connection, selectOf(request), path)),
      );
      for await (const chunk of createReadStream(path)) yield chunk as Uint8Array;
    } finally {
      await rm(draft, { recursive: true, force: true });
    }
  }
}

function selectOf({ model, since, until }: ExportRequest): string {
  const conditions = [
    ...(model === undefined ? [] : [`model = ${quoteText(model)}`]),
    ...(since === undefined ? [] : [`time >= CAST(${quoteText(since)} AS TIMESTAMP)`]),
    ...(until === undefined ? [] : [`time < CAST(${quoteText(until)} AS TIMESTAMP)`]),
  ];
  return `SELECT * FROM predictions${conditions.length > 0 ? ` WHERE ${conditions.join(" AND ")}` : ""}`;
}

function asLine(row: RecordRow): string {
  const given = Object.entries(row).filter(([, value]) => value !== null);
  return `${JSON.stringify(Object.fromEntries(given))}\n`;
}

function asEvents(site: string, originals: ReadonlyMap<string, Originals>): (row: RecordRow) => string {
  return (row) =>
    cloudEvents(row, site, originals.get(String(row.model)) ?? none)
      .map((event) => `${JSON.stringify(event)}\n`)
      .join("");
}
