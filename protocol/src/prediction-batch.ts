/**
 * The prediction batch: columns, byte-shuffled so that compression finds sensor-like data, behind a small JSON header.
 *
 *     frame    head | 64 bytes Ed25519 of `signedHead(head)` by the device's key | body, compressed
 *     head     "VDB2" | u8 compression (0 none, 1 gzip, 2 zstd) | u8 0 | u16 0 | u32 body length | 8 bytes epoch | u32 seq
 *              | sha256 of the header JSON | sha256 of the compressed body | 32 bytes public key
 *     body     u32 header length | header JSON, UTF-8 | the columns of the header, in order, without gaps
 *     column   fixed width w, n values: byte 0 of all values, byte 1 of all … (little-endian)
 *              text: u32 length | JSON array of n strings or nulls, UTF-8
 *
 * The head says which batch it is, and is signed by itself, so that it proves the header (and the root of its receipts)
 * when the body is long gone.
 * All integers little-endian. Compression is a port: the bytes here are the same on every platform.
 */
import { z } from "zod";
import { concatBytes, fromHex, fromUtf8, toHex, utf8 } from "./bytes.ts";
import { VedetteError } from "./errors.ts";
import { agentId, epochId, modelName, sha256Hex } from "./ids.ts";
import { withheldColumns } from "./log-policy.ts";

export const columnTypes = ["u8", "u16", "u32", "f32", "f64", "text"] as const;
export type ColumnType = (typeof columnTypes)[number];

/** Columns of one batch, the standard ones included. */
export const maxColumns = 1024;

/**
 * Why numbers were given and their predictions are not here. A word that a reader does not know is kept as it is.
 * `power_loss` and `disk_full` may count numbers that were reserved and never given; the others are exact. Of `unanswered`
 * numbers nothing is missing: the request was refused.
 */
export const missingReasons = [
  "power_loss",
  "disk_full",
  "dropped_budget",
  "dropped_age",
  "sampled",
  "damaged",
  "unanswered",
] as const;
export type MissingReason = (typeof missingReasons)[number];

/**
 * Numbers that are missing, batch number by batch number: the i-th takes what is from the end before it (`from` for the
 * first) up to `ends[i]`, exclusive.
 */
export const missingRun = z.object({
  reason: z.string().max(32),
  /** The version that had answered; null where it is not known. */
  digest: sha256Hex.nullable(),
  release: z.int().nullable(),
  from: z.int().min(0),
  ends: z.array(z.int().min(0)).min(1),
});
export type MissingRun = z.infer<typeof missingRun>;
/** Batch numbers that one account of missing predictions may settle. */
export const maxSettled = 1000;

export const batchHeader = z.object({
  v: z.literal(2),
  agent: agentId,
  /** The model's name. */
  stream: modelName,
  epoch: epochId,
  /** Batches of a spool are numbered 0, 1, 2 … */
  seq: z.int().min(0).max(0xffff_ffff),
  /** Number of the first prediction; the others follow without holes. */
  firstN: z.int().min(0),
  count: z.int().min(0).max(65_536),
  /** Version that was serving; null where none was. One batch never mixes two. */
  digest: sha256Hex.nullable(),
  release: z.int().nullable(),
  classes: z.array(z.string()).nullable(),
  /** When the batch was cut: device UTC ms, device monotonic ms, and what to add to reach the control plane's clock
   * (null: the device has not learned it yet). */
  clock: z.object({ wall: z.number(), monotonic: z.number(), offset: z.number().nullable() }),
  /**
   * Only where `count` is 0: this batch is an account of what is missing, and settles the batch numbers from `seq` on, one
   * for each of all `ends`. A number that is settled already keeps what it was settled with.
   */
  missing: z.array(missingRun).max(256).default([]),
  /** What the log policy withheld, by column; `none` and `hashed` columns are not there under their own name. */
  withheld: withheldColumns,
  /** The receipts' salt and Merkle root, and the names of what each commitment covers. */
  receipts: z
    .object({
      salt: z.string().regex(/^[0-9a-f]{32}$/),
      root: sha256Hex,
      closed: z.array(z.string().max(280)).max(maxColumns),
    })
    .nullable()
    .default(null),
  columns: z.array(z.object({ name: z.string().max(280), type: z.enum(columnTypes) })).max(maxColumns),
});
export type BatchHeader = z.infer<typeof batchHeader>;

/** Columns every batch has, in this order; then `in:<field>` and `out:<what>` as the model has them. */
export const standardColumns = [
  { name: "time", type: "f64" }, // device UTC ms of the answer
  { name: "latency", type: "f32" }, // ms from request to answer
  { name: "source", type: "u8" }, // index in `sources`
  { name: "reason", type: "u8" }, // index in `fallbackReasons`, 255 none
  { name: "cached", type: "u8" }, // 1: the response cache answered for the model
  { name: "confidence", type: "f32" }, // NaN where unknown
  { name: "entity", type: "text" },
  { name: "eventTime", type: "f64" }, // UTC ms as the client said, NaN where it did not
  { name: "request", type: "text" },
] as const;
/** Out columns: `out:label` u16 index in `classes` (65535 none), `out:score:<class>` f32, or `out:value` f64. */
export const noLabel = 65_535;
export const noReason = 255;

export type ColumnData =
  | Uint8Array
  | Uint16Array
  | Uint32Array
  | Float32Array
  | Float64Array
  | readonly (string | null)[];
export interface PredictionBatch {
  readonly header: BatchHeader;
  /** By column name, `count` values each. */
  readonly columns: Readonly<Record<string, ColumnData>>;
}

const arrays = { u8: Uint8Array, u16: Uint16Array, u32: Uint32Array, f32: Float32Array, f64: Float64Array } as const;

/** The uncompressed body. @throws VedetteError invalid_batch where a column's length or type is not the header's. */
export function encodeBatch(batch: PredictionBatch): Uint8Array<ArrayBuffer> {
  const header = utf8(JSON.stringify(batch.header));
  const parts: Uint8Array[] = [u32(header.length), header];
  for (const { name, type } of batch.header.columns) {
    const data = batch.columns[name];
    if (!data || data.length !== batch.header.count) {
      throw new VedetteError(
        "invalid_batch",
        `column ${name} has ${data?.length ?? "no"} values of ${batch.header.count}`,
      );
    }
    if (type === "text") {
      const text = utf8(JSON.stringify(data));
      parts.push(u32(text.length), text);
    } else if (data instanceof arrays[type]) parts.push(shuffle(data));
    else throw new VedetteError("invalid_batch", `column ${name} is not ${type}`);
  }
  return concatBytes(parts);
}

/** @throws VedetteError invalid_batch for anything that is not exactly a body. */
export function decodeBatch(body: Uint8Array): PredictionBatch {
  const view = new DataView(body.buffer, body.byteOffset, body.byteLength);
  let at = 0;
  const take = (length: number, what: string): Uint8Array => {
    if (length > body.length - at) throw new VedetteError("invalid_batch", `the batch ends inside ${what}`);
    at += length;
    return body.subarray(at - length, at);
  };
  const takeU32 = (what: string): number => {
    take(4, what);
    return view.getUint32(at - 4, true);
  };
  const header = parseJson(batchHeader, take(takeU32("the header"), "the header"), "header");
  const columns: Record<string, ColumnData> = Object.create(null);
  for (const { name, type } of header.columns) {
    if (name in columns) throw new VedetteError("invalid_batch", `column ${name} stands twice`);
    if (type === "text") {
      const texts = parseJson(z.array(z.string().nullable()), take(takeU32(name), name), name);
      if (texts.length !== header.count) throw new VedetteError("invalid_batch", `column ${name} has a wrong length`);
      columns[name] = texts;
    } else columns[name] = unshuffle(take(arrays[type].BYTES_PER_ELEMENT * header.count, name), type, header.count);
  }
  if (at !== body.length) throw new VedetteError("invalid_batch", "bytes after the last column");
  return { header, columns };
}

/** The order is the wire encoding: only append. */
export const compressions = ["none", "gzip", "zstd"] as const;
export type Compression = (typeof compressions)[number];
const magic = utf8("VDB2");
const former = utf8("VDB1");
/** Bytes of a frame before its signature, and with it. */
export const headBytes = 120;
const bodyAt = headBytes + 64;
/** Largest body a reader unpacks: a compressed packet must not become a bomb. */
export const maxBodyBytes = 4 * 1024 * 1024;

/** Which batch a frame says it is. */
export interface FrameName {
  readonly epoch: string;
  readonly seq: number;
}
/** What a head says of its frame. Hashes and key are hex. */
export interface FrameHead extends FrameName {
  readonly compression: Compression;
  /** Bytes of the body, unpacked. */
  readonly bodyLength: number;
  readonly headerSha256: string;
  /** Of the body as it is sent. */
  readonly bodySha256: string;
  readonly publicKey: string;
}

/** The header JSON of an uncompressed body. @throws VedetteError invalid_batch where it ends inside it. */
export function headerBytes(body: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  const length = body.length < 4 ? 0 : new DataView(body.buffer, body.byteOffset).getUint32(0, true);
  if (length === 0 || length > body.length - 4) {
    throw new VedetteError("invalid_batch", "the batch ends inside its header");
  }
  return body.subarray(4, 4 + length);
}

export function encodeHead(head: FrameHead): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(headBytes);
  const view = new DataView(bytes.buffer);
  bytes.set(magic);
  bytes[4] = compressions.indexOf(head.compression);
  view.setUint32(8, head.bodyLength, true);
  bytes.set(fromHex(head.epoch), 12);
  view.setUint32(20, head.seq, true);
  bytes.set(fromHex(head.headerSha256), 24);
  bytes.set(fromHex(head.bodySha256), 56);
  bytes.set(fromHex(head.publicKey), 88);
  return bytes;
}

/** The bytes that the device signs. */
export function signedHead(head: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes([utf8("vedette/batch/2\n"), head]);
}

/** A frame of its parts. @param signature hex. */
export function sealFrame(head: Uint8Array, signature: string, compressed: Uint8Array): Uint8Array<ArrayBuffer> {
  return concatBytes([head, fromHex(signature), compressed]);
}

/** Which batch a frame is, though the rest of it be damaged or of format 1; undefined where even that cannot be read. */
export function nameOfFrame(frame: Uint8Array): FrameName | undefined {
  const is = (begin: Uint8Array) => begin.every((byte, i) => frame[i] === byte);
  if (frame.length < 28 || !(is(magic) || is(former))) return undefined;
  const seq = new DataView(frame.buffer, frame.byteOffset).getUint32(20, true);
  return { epoch: toHex(frame.subarray(12, 20)), seq };
}

/** A frame taken apart; neither its signature nor the hash of its body is judged here. */
export interface OpenedFrame extends FrameHead {
  /** The head, as it was signed. */
  readonly head: Uint8Array<ArrayBuffer>;
  /** Hex. */
  readonly signature: string;
  readonly compressed: Uint8Array<ArrayBuffer>;
}

/**
 * @throws VedetteError unsigned for a frame of format 1, invalid_batch where it is no frame of a known kind, too_large
 * where its body would be too long.
 */
export function openFrame(given: Uint8Array): OpenedFrame {
  const frame = new Uint8Array(given.buffer as ArrayBuffer, given.byteOffset, given.length);
  const name = nameOfFrame(frame);
  if (!name) throw new VedetteError("invalid_batch", "not a prediction batch: the first bytes are not VDB2");
  if (frame[3] === former[3]) {
    throw new VedetteError("unsigned", "a prediction batch of format 1, which no device signs: update this agent");
  }
  if (frame.length < bodyAt) throw new VedetteError("invalid_batch", "the frame ends inside its head");
  const view = new DataView(frame.buffer, frame.byteOffset);
  const compression = compressions[frame[4] ?? 255];
  if (!compression || frame[5] !== 0 || view.getUint16(6, true) !== 0) {
    throw new VedetteError("invalid_batch", "a batch of an unknown compression or flag");
  }
  const bodyLength = view.getUint32(8, true);
  if (bodyLength > maxBodyBytes) {
    throw new VedetteError("too_large", `a batch body of ${bodyLength} bytes, over ${maxBodyBytes}`);
  }
  return {
    ...name,
    compression,
    bodyLength,
    headerSha256: toHex(frame.subarray(24, 56)),
    bodySha256: toHex(frame.subarray(56, 88)),
    publicKey: toHex(frame.subarray(88, headBytes)),
    head: frame.subarray(0, headBytes),
    signature: toHex(frame.subarray(headBytes, bodyAt)),
    compressed: frame.subarray(bodyAt),
  };
}

/** How many batch numbers a header settles: its own, and those of an account. */
export function settledBy({ missing }: Pick<BatchHeader, "missing">): number {
  return Math.max(
    1,
    missing.reduce((sum, run) => sum + run.ends.length, 0),
  );
}

function parseJson<T extends z.ZodType>(schema: T, bytes: Uint8Array, where: string): z.infer<T> {
  try {
    return schema.parse(JSON.parse(fromUtf8(bytes)));
  } catch (cause) {
    throw new VedetteError("invalid_batch", `the batch's ${where} does not fit its schema`, { cause });
  }
}

function u32(value: number): Uint8Array {
  const bytes = new Uint8Array(4);
  new DataView(bytes.buffer).setUint32(0, value, true);
  return bytes;
}

function shuffle(values: Exclude<ColumnData, readonly (string | null)[]>): Uint8Array {
  const width = values.BYTES_PER_ELEMENT;
  const bytes = new Uint8Array(values.buffer, values.byteOffset, values.byteLength);
  const out = new Uint8Array(bytes.length);
  const count = values.length;
  if (width === 4) {
    // Most columns are 32-bit: one pass over their words instead of four over their bytes.
    const words = new Uint32Array(values.buffer, values.byteOffset, count);
    for (let i = 0; i < count; i++) {
      const word = words[i] as number;
      out[i] = word;
      out[count + i] = word >>> 8;
      out[2 * count + i] = word >>> 16;
      out[3 * count + i] = word >>> 24;
    }
    return out;
  }
  for (let b = 0, at = 0; b < width; b++) for (let i = b; i < bytes.length; i += width) out[at++] = bytes[i] as number;
  return out;
}

function unshuffle(bytes: Uint8Array, type: Exclude<ColumnType, "text">, count: number): ColumnData {
  const width = arrays[type].BYTES_PER_ELEMENT;
  const out = new Uint8Array(bytes.length);
  for (let b = 0, at = 0; b < width; b++) for (let i = 0; i < count; i++) out[i * width + b] = bytes[at++] as number;
  return new arrays[type](out.buffer);
}
