/**
 * The open segment of a spool: what one tick answered is one record, so that a record cut short by a kill was never
 * answered and may be dropped. Written by prediction-log, read back by it after a start and at each cut.
 *
 *     record   u32 payload length (a multiple of 8) | u32 checksum of the payload | payload
 *     payload  u32 1 | JSON of the version that answers from here on
 *              u32 2 | u32 rows | u32 groups | u32 length of the texts | f64 first n | f64 time | columns
 *     columns  as `columnsIn` lists them: all rows of all groups, the groups, the entities and request
 *              ids of the groups; then the inputs that are texts, [rows][texts] in JSON
 *
 * All little-endian. Columns and not rows, so that inputs are copied as they came and none of it is taken apart twice.
 */

import { concatBytes, fromUtf8, utf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import { fallbackReasons, sources } from "@vedette/protocol/ids";
import { noLabel, noReason } from "@vedette/protocol/prediction-batch";
import type { Rows } from "@vedette/protocol/tensors";
import { z } from "zod";
import {
  countRows,
  type LoggedAnswer,
  type LoggedGroup,
  type LoggedRows,
  type LoggedVersion,
  loggedVersion,
} from "./logged-rows.ts";

const recordHead = 8;
const rowsHead = 32;
const noText = 65_535;

/** The columns of a record of rows, as views of its bytes. */
export interface RecordColumns {
  /** Of a group. */
  readonly eventTime: Float64Array;
  readonly latency: Float32Array;
  readonly groupRows: Uint32Array;
  /** Bytes of its entity and of its request id; `noText` where it has none. */
  readonly textLengths: Uint16Array;
  /** Of a row. */
  readonly value: Float64Array;
  readonly confidence: Float32Array;
  /** [rows][classes] and [rows][fields]. */
  readonly scores: Float32Array;
  readonly inputs: Rows;
  readonly label: Uint16Array;
  readonly source: Uint8Array;
  readonly reason: Uint8Array;
  readonly cached: Uint8Array;
  /** Where the texts begin, from the start of the payload. */
  readonly textsAt: number;
}

/** Where everything is, for writer and reader alike: wide values first, so that each is at a multiple of its width. */
function columnsIn(version: LoggedVersion, payload: DataView, rows: number, groups: number): RecordColumns {
  const { buffer, byteOffset } = payload;
  const classes = version.classes?.length ?? 0;
  const inputs = rows * version.fields.length;
  let at = byteOffset + rowsHead;
  const take = (bytes: number): number => {
    at += bytes;
    return at - bytes;
  };
  const f64 = (n: number): Float64Array => new Float64Array(buffer, take(8 * n), n);
  const f32 = (n: number): Float32Array => new Float32Array(buffer, take(4 * n), n);
  const u16 = (n: number): Uint16Array => new Uint16Array(buffer, take(2 * n), n);
  const u8 = (n: number): Uint8Array => new Uint8Array(buffer, take(n), n);
  // In the order of this list.
  const columns = {
    eventTime: f64(groups),
    value: f64(version.value ? rows : 0),
    inputs: version.wide ? f64(inputs) : f32(inputs),
    latency: f32(groups),
    groupRows: new Uint32Array(buffer, take(4 * groups), groups),
    confidence: f32(rows),
    scores: f32(rows * classes),
    textLengths: u16(2 * groups),
    label: u16(classes > 0 ? rows : 0),
    source: u8(rows),
    reason: u8(rows),
    cached: u8(rows),
  };
  return { ...columns, textsAt: at - byteOffset };
}

/** Bytes of all that `columnsIn` lists, and the head before it. */
function columnsLength(version: LoggedVersion, rows: number, groups: number): number {
  const outputs = (version.classes ? 2 + 4 * version.classes.length : 0) + (version.value ? 8 : 0);
  return rowsHead + 20 * groups + rows * (7 + outputs + (version.wide ? 8 : 4) * version.fields.length);
}

/** One record that names the version of the rows after it. */
export function encodeVersion(version: LoggedVersion): Uint8Array<ArrayBuffer> {
  const json = utf8(JSON.stringify(version));
  const record = newRecord(4 + json.length);
  record.fill(0x20, recordHead);
  new DataView(record.buffer).setUint32(recordHead, 1, true);
  record.set(json, recordHead + 4);
  return seal(record);
}

/** One record with all that a tick answered. */
export function encodeRows(tick: LoggedRows): Uint8Array<ArrayBuffer> {
  const { version, groups } = tick;
  const rows = countRows(groups);
  const texts: (Uint8Array | undefined)[] = [];
  let length = columnsLength(version, rows, groups.length);
  for (const group of groups) {
    const entity = textBytes(group.entity);
    const request = textBytes(group.requestId);
    texts.push(entity, request);
    length += (entity?.length ?? 0) + (request?.length ?? 0);
  }
  const inputs = version.texts.length > 0 ? utf8(JSON.stringify(textInputs(version, groups))) : undefined;
  const record = newRecord(length + (inputs?.length ?? 0));
  const view = new DataView(record.buffer, recordHead);
  view.setUint32(0, 2, true);
  view.setUint32(12, inputs?.length ?? 0, true);
  view.setUint32(4, rows, true);
  view.setUint32(8, groups.length, true);
  view.setFloat64(16, tick.firstN, true);
  view.setFloat64(24, tick.time, true);
  const columns = columnsIn(version, view, rows, groups.length);
  let row = 0;
  for (let g = 0; g < groups.length; g++) {
    const group = groups[g] as LoggedGroup;
    columns.groupRows[g] = group.answers.length;
    columns.latency[g] = group.latency;
    columns.eventTime[g] = group.eventTime ?? Number.NaN;
    putInputs(columns.inputs, row, version.fields.length, group);
    for (const answer of group.answers) putAnswer(columns, row++, answer, version);
  }
  let at = recordHead + columns.textsAt;
  for (const [i, text] of texts.entries()) {
    columns.textLengths[i] = text?.length ?? noText;
    if (text) record.set(text, at);
    at += text?.length ?? 0;
  }
  if (inputs) record.set(inputs, at);
  return seal(record);
}

/** A request without a schema to check it by has no texts. */
function textInputs({ texts }: LoggedVersion, groups: readonly LoggedGroup[]): (string | null)[] {
  return groups.flatMap(
    (group) => group.texts ?? new Array<string | null>(group.answers.length * texts.length).fill(null),
  );
}

function putInputs(inputs: Rows, row: number, fields: number, { rows, answers }: LoggedGroup): void {
  if (rows.length === answers.length * fields) {
    inputs.set(rows, row * fields);
    return;
  }
  // Only without a schema to check it by, or where inputs are not logged, is a request of another width.
  const width = answers.length > 0 ? rows.length / answers.length : 0;
  for (let i = 0; i < answers.length; i++) {
    for (let f = 0; f < fields; f++) inputs[(row + i) * fields + f] = rows[i * width + f] ?? Number.NaN;
  }
}

function putAnswer(columns: RecordColumns, row: number, answer: LoggedAnswer, version: LoggedVersion): void {
  columns.source[row] = sources.indexOf(answer.source);
  columns.reason[row] = answer.reason === null ? noReason : fallbackReasons.indexOf(answer.reason);
  columns.cached[row] = answer.cached ? 1 : 0;
  columns.confidence[row] = answer.confidence ?? Number.NaN;
  if (version.value) columns.value[row] = answer.value ?? Number.NaN;
  const { classes } = version;
  if (!classes) return;
  const label = answer.label === null ? -1 : classes.indexOf(answer.label);
  columns.label[row] = label < 0 ? noLabel : label;
  for (let c = 0, at = row * classes.length; c < classes.length; c++) {
    columns.scores[at + c] = answer.scores?.[c] ?? Number.NaN;
  }
}

export type SegmentRecord =
  | { readonly kind: "version"; readonly version: LoggedVersion }
  | {
      readonly kind: "rows";
      readonly firstN: number;
      readonly time: number;
      readonly count: number;
      readonly payload: DataView<ArrayBuffer>;
    };
type RowsRecord = Extract<SegmentRecord, { kind: "rows" }>;

/**
 * The whole records at the front of a segment; what follows the first that is cut short or damaged is left out.
 * @param bytes at the start of their buffer, so that columns are at multiples of their widths.
 */
export function readRecords(bytes: Uint8Array<ArrayBuffer>): SegmentRecord[] {
  const records: SegmentRecord[] = [];
  const { buffer, byteOffset } = bytes.byteOffset % 8 === 0 ? bytes : bytes.slice();
  const head = new DataView(buffer, byteOffset, bytes.length);
  let at = 0;
  while (bytes.length - at >= recordHead) {
    const length = head.getUint32(at, true);
    const end = at + recordHead + length;
    if (length === 0 || length % 8 !== 0 || end > bytes.length) break;
    const payload = new DataView(buffer, byteOffset + at + recordHead, length);
    if (checksum(payload) !== head.getUint32(at + 4, true)) break;
    records.push(readPayload(payload));
    at = end;
  }
  return records;
}

/** A record as `encodeVersion` or `encodeRows` made it in this process: there is nothing to verify. */
export function readRecord(record: Uint8Array<ArrayBuffer>): SegmentRecord {
  return readPayload(new DataView(record.buffer, record.byteOffset + recordHead, record.length - recordHead));
}

/** One run as a segment of its own, to be handed to another thread: `readRecords` reads it. */
export function encodeSegment(version: LoggedVersion, records: readonly RowsRecord[]): Uint8Array<ArrayBuffer> {
  const whole = ({ payload }: RowsRecord): Uint8Array =>
    new Uint8Array(payload.buffer, payload.byteOffset - recordHead, payload.byteLength + recordHead);
  return concatBytes([encodeVersion(version), ...records.map(whole)]);
}

function readPayload(payload: DataView<ArrayBuffer>): SegmentRecord {
  if (payload.getUint32(0, true) === 1) {
    const json = new Uint8Array(payload.buffer, payload.byteOffset + 4, payload.byteLength - 4);
    return { kind: "version", version: loggedVersion.parse(JSON.parse(fromUtf8(json))) };
  }
  const count = payload.getUint32(4, true);
  return { kind: "rows", firstN: payload.getFloat64(16, true), time: payload.getFloat64(24, true), count, payload };
}

/** The columns of a record of this version's rows, the entity and the request id of each of its groups, and the texts asked with. */
export function readColumns(
  version: LoggedVersion,
  { payload, count }: RowsRecord,
): {
  readonly columns: RecordColumns;
  readonly texts: readonly (string | null)[];
  readonly inputs: readonly (string | null)[];
} {
  const columns = columnsIn(version, payload, count, payload.getUint32(8, true));
  let at = payload.byteOffset + columns.textsAt;
  const texts = Array.from(columns.textLengths, (length) => {
    if (length === noText) return null;
    at += length;
    return fromUtf8(new Uint8Array(payload.buffer, at - length, length));
  });
  const length = payload.getUint32(12, true);
  if (length === 0) return { columns, texts, inputs: [] };
  const inputs = JSON.parse(fromUtf8(new Uint8Array(payload.buffer, at, length)));
  return { columns, texts, inputs: z.array(z.string().nullable()).parse(inputs) };
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
  return new Uint8Array(recordHead + Math.ceil(payload / 8) * 8);
}

function seal(record: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const view = new DataView(record.buffer);
  view.setUint32(0, record.length - recordHead, true);
  view.setUint32(4, checksum(new DataView(record.buffer, recordHead)), true);
  return record;
}

/** Murmur-like over 32-bit words: finds torn and zeroed tails, not malice. */
function checksum({ buffer, byteOffset, byteLength }: DataView<ArrayBuffer>): number {
  let hash = byteLength;
  for (const word of new Uint32Array(buffer, byteOffset, byteLength / 4)) {
    const mixed = Math.imul(word, 0xcc9e2d51);
    hash ^= Math.imul((mixed << 15) | (mixed >>> 17), 0x1b873593);
    hash = (Math.imul((hash << 13) | (hash >>> 19), 5) + 0xe6546b64) | 0;
  }
  return (hash ^ (hash >>> 16)) >>> 0;
}
