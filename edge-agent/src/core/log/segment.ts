/**
 * The open segment of a spool: what one tick answered is one record, so that a record cut short by a kill was never
 * answered and may be dropped. Written by prediction-log, read back by it after a start and at each cut.
 *
 *     record   u32 payload length (a multiple of 4) | u32 checksum of the payload | payload
 *     payload  u8 1 | JSON of the version that answers from here on
 *              u8 2 | f64 first n | f64 time | u32 rows | u32 groups | groups
 *     group    u32 rows | f32 latency | f64 event time | text entity | text request | rows
 *     row      u8 source | u8 reason | u8 cached | f32 confidence | u16 label, or f64 value | f32 scores | f32 or f64 inputs
 *     text     u16 bytes (65535: none) | UTF-8
 */

import type { Manifest } from "@vedette/protocol/bundle";
import { fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import { fallbackReasons, sha256Hex, sources } from "@vedette/protocol/ids";
import { noLabel, noReason } from "@vedette/protocol/prediction-batch";
import type { Rows } from "@vedette/protocol/tensors";
import { z } from "zod";
import type { Answer } from "../agent.ts";

const loggedVersion = z.object({
  digest: sha256Hex.nullable(),
  release: z.int().nullable(),
  classes: z.array(z.string()).nullable(),
  /** Whether rows carry `out:value` (regression). */
  value: z.boolean(),
  /** Fields whose inputs are logged; empty where the log policy says none. */
  fields: z.array(z.string()),
  /** Inputs are 64-bit. */
  wide: z.boolean(),
});
/** What decides the columns of the rows that follow. One batch never mixes two. */
export type LoggedVersion = z.infer<typeof loggedVersion>;

/** @param manifest null where no version was ever known: rows then carry neither inputs nor outputs. */
export function describeVersion(
  version: { readonly digest: string; readonly release: number } | null,
  manifest: Manifest | null,
): LoggedVersion {
  return {
    digest: version?.digest ?? null,
    release: version?.release ?? null,
    classes: manifest?.output.task === "classification" ? manifest.output.classes : null,
    value: manifest?.output.task === "regression",
    fields: manifest?.log.inputs === "full" ? manifest.input.fields.map((field) => field.name) : [],
    wide: manifest?.input.tensors.some((tensor) => tensor.datatype !== "FP32") ?? false,
  };
}

/** The answers to one request. */
export interface LoggedGroup {
  readonly answers: readonly Omit<Answer, "id">[];
  /** [answers][fields], as the request had them. */
  readonly rows: Rows;
  /** ms from request to answer. */
  readonly latency: number;
  readonly entity?: string | undefined;
  /** UTC ms. */
  readonly eventTime?: number | undefined;
  readonly requestId?: string | undefined;
}
/** What one tick answered. */
export interface LoggedRows {
  /** Number of the first answer, from `reserve`; the others follow. */
  readonly firstN: number;
  readonly version: LoggedVersion;
  /** Device UTC ms. */
  readonly time: number;
  readonly groups: readonly LoggedGroup[];
}

const recordHead = 8;
export const noText = 65_535;
const rowHead = 7;
export const groupHead = 16;
export const rowsHead = 25;

/** Rows in all groups. */
export function countRows(groups: readonly LoggedGroup[]): number {
  let count = 0;
  for (const group of groups) count += group.answers.length;
  return count;
}

/** One record that names the version of the rows after it. */
export function encodeVersion(version: LoggedVersion): Uint8Array<ArrayBuffer> {
  const json = utf8(JSON.stringify(version));
  const record = newRecord(1 + json.length);
  record[recordHead] = 1;
  record.fill(0x20, recordHead + 1);
  record.set(json, recordHead + 1);
  return seal(record);
}

/** One record with all that a tick answered. */
export function encodeRows(tick: LoggedRows): Uint8Array<ArrayBuffer> {
  const { version, groups } = tick;
  const classes = version.classes;
  const inputWidth = version.wide ? 8 : 4;
  const fields = version.fields.length;
  const rowBytes = rowLength(version);
  const texts = groups.map((group) => [textBytes(group.entity), textBytes(group.requestId)] as const);
  let length = rowsHead;
  for (const [i, group] of groups.entries()) {
    const [entity, request] = texts[i] as (typeof texts)[number];
    length += groupHead + 4 + (entity?.length ?? 0) + (request?.length ?? 0) + rowBytes * group.answers.length;
  }
  const record = newRecord(length);
  const view = new DataView(record.buffer);
  let at = recordHead;
  const putText = (text: Uint8Array | undefined): void => {
    view.setUint16(at, text ? text.length : noText, true);
    if (text) record.set(text, at + 2);
    at += 2 + (text?.length ?? 0);
  };
  view.setUint8(at, 2);
  view.setFloat64(at + 1, tick.firstN, true);
  view.setFloat64(at + 9, tick.time, true);
  view.setUint32(at + 17, countRows(groups), true);
  view.setUint32(at + 21, groups.length, true);
  at += rowsHead;
  for (const [i, group] of groups.entries()) {
    const [entity, request] = texts[i] as (typeof texts)[number];
    view.setUint32(at, group.answers.length, true);
    view.setFloat32(at + 4, group.latency, true);
    view.setFloat64(at + 8, group.eventTime ?? Number.NaN, true);
    at += groupHead;
    putText(entity);
    putText(request);
    const width = group.answers.length > 0 ? group.rows.length / group.answers.length : 0;
    for (const [row, answer] of group.answers.entries()) {
      view.setUint8(at, sources.indexOf(answer.source));
      view.setUint8(at + 1, answer.reason === null ? noReason : fallbackReasons.indexOf(answer.reason));
      view.setUint8(at + 2, answer.cached ? 1 : 0);
      view.setFloat32(at + 3, answer.confidence ?? Number.NaN, true);
      at += rowHead;
      if (classes) {
        const label = answer.label === null ? -1 : classes.indexOf(answer.label);
        view.setUint16(at, label < 0 ? noLabel : label, true);
        at += 2;
        for (let c = 0; c < classes.length; c++, at += 4) {
          view.setFloat32(at, answer.scores?.[c] ?? Number.NaN, true);
        }
      }
      if (version.value) {
        view.setFloat64(at, answer.value ?? Number.NaN, true);
        at += 8;
      }
      for (let f = 0; f < fields; f++, at += inputWidth) {
        const value = group.rows[row * width + f] ?? Number.NaN;
        if (version.wide) view.setFloat64(at, value, true);
        else view.setFloat32(at, value, true);
      }
    }
  }
  return seal(record);
}

export type SegmentRecord =
  | { readonly kind: "version"; readonly version: LoggedVersion }
  | { readonly kind: "rows"; readonly firstN: number; readonly count: number; readonly payload: DataView };

/** The whole records at the front of a segment; what follows the first that is cut short or damaged is left out. */
export function readRecords(bytes: Uint8Array<ArrayBuffer>): SegmentRecord[] {
  const records: SegmentRecord[] = [];
  const head = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let at = 0;
  while (bytes.length - at >= recordHead) {
    const length = head.getUint32(at, true);
    const end = at + recordHead + length;
    if (length === 0 || length % 4 !== 0 || end > bytes.length) break;
    const payload = new DataView(bytes.buffer, bytes.byteOffset + at + recordHead, length);
    if (checksum(payload) !== head.getUint32(at + 4, true)) break;
    records.push(readPayload(payload));
    at = end;
  }
  return records;
}

function readPayload(payload: DataView): SegmentRecord {
  if (payload.getUint8(0) === 1) {
    const json = new Uint8Array(payload.buffer, payload.byteOffset + 1, payload.byteLength - 1);
    return { kind: "version", version: loggedVersion.parse(JSON.parse(fromUtf8(json))) };
  }
  return { kind: "rows", firstN: payload.getFloat64(1, true), count: payload.getUint32(17, true), payload };
}

/** Bytes of one row of a version. */
function rowLength(version: LoggedVersion): number {
  const outputs = (version.classes ? 2 + 4 * version.classes.length : 0) + (version.value ? 8 : 0);
  return rowHead + outputs + (version.wide ? 8 : 4) * version.fields.length;
}

function textBytes(text: string | undefined): Uint8Array | undefined {
  if (text === undefined) return undefined;
  const bytes = utf8(text);
  if (bytes.length >= noText) {
    throw new VedetteError(
      "invalid_input",
      `a text of ${bytes.length} bytes is too long to log: ${noText - 1} at most`,
    );
  }
  return bytes;
}

function newRecord(payload: number): Uint8Array<ArrayBuffer> {
  return new Uint8Array(recordHead + Math.ceil(payload / 4) * 4);
}

function seal(record: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const view = new DataView(record.buffer);
  view.setUint32(0, record.length - recordHead, true);
  view.setUint32(4, checksum(new DataView(record.buffer, recordHead)), true);
  return record;
}

/** Murmur-like over 32-bit words: finds torn and zeroed tails, not malice. */
function checksum(payload: DataView): number {
  let hash = payload.byteLength;
  for (let at = 0; at + 4 <= payload.byteLength; at += 4) {
    let word = Math.imul(payload.getUint32(at, true), 0xcc9e2d51);
    word = Math.imul((word << 15) | (word >>> 17), 0x1b873593);
    hash ^= word;
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  return (hash ^ (hash >>> 16)) >>> 0;
}
