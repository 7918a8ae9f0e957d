/**
 * Predictions of a watched model as frames of the prediction log, signed by the control plane as a device signs its own: from
 * there on they are stored, counted, kept, erased and exported as any other. Pure but for the key.
 */
import { gzipSync } from "node:zlib";
import {
  type BatchHeader,
  type ColumnData,
  type ColumnType,
  encodeBatch,
  encodeHead,
  headerBytes,
  maxBodyBytes,
  noLabel,
  noReason,
  sealFrame,
  signedHead,
} from "@vedette/protocol/prediction-batch";
import { type WatchedField, watchAgent } from "@vedette/protocol/watch-api";
import { sha256 } from "../../sha256.ts";
import type { InputRow, OutputRow } from "./payloads.ts";

export interface WatchedPrediction {
  /** UTC ms. */
  readonly time: number;
  readonly latencyMs: number | null;
  readonly entity: string | null;
  /** The event's id. */
  readonly request: string;
  /** Null where only the answer is known. */
  readonly inputs: InputRow | null;
  /** Null where only the request is known. */
  readonly output: OutputRow | null;
}
export interface Signer {
  readonly publicKeyHex: string;
  sign(message: Uint8Array): string;
}
/** Where a model's frames go on. */
export interface Place {
  readonly model: string;
  readonly digest: string | null;
  readonly release: number | null;
  readonly epoch: string;
  readonly seq: number;
  readonly n: number;
}

/** The standard columns but `source` and `reason`, which all rows have alike. */
type Column = readonly [name: string, type: ColumnType, data: ColumnData];
/** A frame of more rows would be too long for one batch. */
const mostRows = 5000;

/** Frames in their order; the place after them is `seq` and `n` further. @param now UTC ms. */
export function framesOf(
  predictions: readonly WatchedPrediction[],
  fields: readonly WatchedField[],
  place: Place,
  signer: Signer,
  now: number,
): { frames: Uint8Array<ArrayBuffer>[]; rows: number } {
  if (predictions.length === 0) return { frames: [], rows: 0 };
  const body = predictions.length <= mostRows ? encode(predictions, fields, place, now) : undefined;
  if (body && (body.length <= maxBodyBytes || predictions.length === 1))
    return { frames: [seal(body, place, signer)], rows: predictions.length };
  const half = Math.ceil(predictions.length / 2);
  const first = framesOf(predictions.slice(0, half), fields, place, signer, now);
  const after = { ...place, seq: place.seq + first.frames.length, n: place.n + half };
  const second = framesOf(predictions.slice(half), fields, after, signer, now);
  return { frames: [...first.frames, ...second.frames], rows: predictions.length };
}

function encode(rows: readonly WatchedPrediction[], fields: readonly WatchedField[], place: Place, now: number) {
  const classes = [...new Set(rows.flatMap(({ output }) => output?.label ?? []))].sort();
  const scored = [...new Set(rows.flatMap(({ output }) => Object.keys(output?.scores ?? {})))].sort().slice(0, 100);
  const numbers = (of: (row: WatchedPrediction) => number | null) => rows.map((row) => of(row) ?? Number.NaN);
  const inputs = fields.map(({ name, kind }, f): Column => {
    const values = rows.map(({ inputs: given }) => given?.[f] ?? null);
    if (kind === "category")
      return [`in:${name}`, "text", values.map((value) => (value === null ? null : String(value)))];
    return [`in:${name}`, "f32", Float32Array.from(values, (value) => (value === null ? Number.NaN : Number(value)))];
  });
  const places = new Map(classes.map((label, at) => [label, at]));
  const label = ({ output }: WatchedPrediction) =>
    output?.label == null ? noLabel : (places.get(output.label) ?? noLabel);
  const columns: Column[] = [
    ["time", "f64", Float64Array.from(rows, ({ time }) => time)],
    ["latency", "f32", Float32Array.from(numbers(({ latencyMs }) => latencyMs))],
    ["source", "u8", new Uint8Array(rows.length)],
    ["reason", "u8", new Uint8Array(rows.length).fill(noReason)],
    ["cached", "u8", new Uint8Array(rows.length)],
    ["confidence", "f32", Float32Array.from(numbers(({ output }) => confidence(output)))],
    ["entity", "text", rows.map(({ entity }) => entity)],
    ["eventTime", "f64", new Float64Array(rows.length).fill(Number.NaN)],
    ["request", "text", rows.map(({ request }) => request)],
    ...inputs,
    ...(classes.length > 0 ? [["out:label", "u16", Uint16Array.from(rows, label)] as const] : []),
    ...(rows.some(({ output }) => output?.value != null)
      ? [["out:value", "f64", Float64Array.from(numbers(({ output }) => output?.value ?? null))] as const]
      : []),
    ...scored.map(
      (name) =>
        [`out:score:${name}`, "f32", Float32Array.from(numbers(({ output }) => output?.scores[name] ?? null))] as const,
    ),
  ];
  const { model, digest, release, epoch, seq, n } = place;
  const header: BatchHeader = {
    v: 2,
    agent: watchAgent,
    stream: model,
    epoch,
    seq,
    firstN: n,
    count: rows.length,
    digest,
    release,
    classes: classes.length > 0 ? classes : null,
    clock: { wall: now, monotonic: 0, offset: 0 },
    missing: [],
    withheld: {},
    receipts: null,
    columns: columns.map(([name, type]) => ({ name, type })),
  };
  return encodeBatch({ header, columns: Object.fromEntries(columns.map(([name, , data]) => [name, data])) });
}

/** Of the answer that was given, where its scores are known. */
function confidence(output: OutputRow | null): number | null {
  return output?.label == null ? null : (output.scores[output.label] ?? null);
}

function seal(body: Uint8Array<ArrayBuffer>, { epoch, seq }: Place, signer: Signer): Uint8Array<ArrayBuffer> {
  const compressed = gzipSync(body);
  const head = encodeHead({
    epoch,
    seq,
    compression: "gzip",
    bodyLength: body.length,
    headerSha256: sha256(headerBytes(body)),
    bodySha256: sha256(compressed),
    publicKey: signer.publicKeyHex,
  });
  return sealFrame(head, signer.sign(signedHead(head)), compressed);
}
