/**
 * Is this frame a prediction batch that the device signed, of the stream that it came on? Called by the inbox before it stores, so that
 * the lake never meets garbage; the lake unpacks stored frames with the same `unpackFrame`.
 */
import { createPublicKey, type KeyObject, verify } from "node:crypto";
import { constants, gunzipSync, zstdDecompressSync } from "node:zlib";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import {
  type BatchHeader,
  batchHeader,
  decodeBatch,
  type FrameName,
  headerBytes,
  maxSettled,
  nameOfFrame,
  noLabel,
  type OpenedFrame,
  openFrame,
  type PredictionBatch,
  settledBy,
  signedHead,
  standardColumns,
} from "@vedette/protocol/prediction-batch";
import { sha256 } from "../sha256.ts";

/** Characters of one entity, request id or class name. */
const maxText = 1024;
/** ms; the range of JavaScript's dates, which TIMESTAMP holds too. */
const maxTime = 8.64e15;

export type CheckedFrame =
  | { kind: "good"; batch: PredictionBatch; proof: BatchProof }
  /** The header can be read, so that the device can be told which batch is refused. */
  | { kind: "refused"; header: BatchHeader; own: boolean; why: string }
  /** The device signed these very bytes, and they are no batch: they will be no better when they come again. */
  | { kind: "spoiled"; name: FrameName; error: VedetteError }
  /** The device signed the head, and what follows it was damaged on the way. */
  | { kind: "damaged"; name: FrameName; error: VedetteError }
  /** Whoever sent it did not sign it. `name` where it still says which batch it wants to be. */
  | { kind: "unsigned"; name: FrameName | undefined; error: VedetteError };

/** What shows later that the device signed this batch's header, and so the root of its receipts. */
interface BatchProof {
  readonly head: Uint8Array;
  /** Hex, both. */
  readonly signature: string;
  readonly publicKey: string;
  /** The header's JSON, whose sha256 is in the head. */
  readonly header: Uint8Array;
}

/**
 * Judges a frame that came on the topic of `agent` and `stream`. Never throws.
 * @param keys the device's public keys, hex.
 */
export function checkFrame(agent: string, stream: string, frame: Uint8Array, keys: readonly string[]): CheckedFrame {
  const unsigned = (error: VedetteError): CheckedFrame => ({ kind: "unsigned", name: nameOfFrame(frame), error });
  let opened: OpenedFrame;
  try {
    opened = openFrame(frame);
  } catch (error) {
    return unsigned(asInvalid(error));
  }
  const { publicKey, signature } = opened;
  const name = { epoch: opened.epoch, seq: opened.seq };
  if (!keys.includes(publicKey) || !isSigned(opened)) {
    const why = `batch ${name.seq} of ${agent}/${stream} is not signed by the key that the device enrolled with`;
    return unsigned(new VedetteError("bad_signature", why));
  }
  if (sha256(opened.compressed) !== opened.bodySha256) {
    const why = "the batch was damaged on the way or on the disk: its hash does not fit";
    return { kind: "damaged", name, error: new VedetteError("invalid_batch", why) };
  }
  let body: Uint8Array<ArrayBuffer>;
  let header: BatchHeader;
  let json: Uint8Array<ArrayBuffer>;
  try {
    body = inflate(opened);
    json = headerBytes(body);
    if (sha256(json) !== opened.headerSha256)
      throw new VedetteError("invalid_batch", "the header is not the one signed");
    header = batchHeader.parse(JSON.parse(new TextDecoder().decode(json)));
  } catch (error) {
    return { kind: "spoiled", name, error: asInvalid(error) };
  }
  const own = header.agent === agent && header.stream === stream;
  const refuse = (why: string): CheckedFrame => ({ kind: "refused", header, own, why });
  if (!own) return refuse(`the batch says it is of ${header.agent}/${header.stream}, and came from ${agent}/${stream}`);
  if (name.epoch !== header.epoch || name.seq !== header.seq)
    return refuse("the frame names another batch than its body");
  try {
    const batch = decodeBatch(body);
    const why = wrongColumn(header) ?? wrongAccount(header) ?? wrongValue(batch);
    if (why !== undefined) return refuse(why);
    return { kind: "good", batch, proof: { head: opened.head, signature, publicKey, header: json } };
  } catch (error) {
    return refuse(asInvalid(error).message);
  }
}

/** The last device keys that were made of hex, which costs more than to verify by one. */
const keyObjects = new Map<string, KeyObject>();
const mostKeys = 10_000;

function isSigned({ head, signature, publicKey }: OpenedFrame): boolean {
  try {
    let key = keyObjects.get(publicKey);
    if (!key) {
      const x = Buffer.from(publicKey, "hex").toString("base64url");
      key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
      if (keyObjects.size >= mostKeys) keyObjects.clear();
      keyObjects.set(publicKey, key);
    }
    return verify(null, signedHead(head), key, Buffer.from(signature, "hex"));
  } catch {
    return false; // no point of the curve: whoever sent it has signed nothing
  }
}

/** The batch in a frame. @throws VedetteError invalid_batch, too_large. */
export function unpackFrame(frame: Uint8Array): PredictionBatch {
  try {
    return decodeBatch(inflate(openFrame(frame)));
  } catch (error) {
    throw asInvalid(error);
  }
}

/** Unpacks no more than the frame says, and exactly that: a small packet must not become a large body. */
function inflate({ compression, bodyLength, compressed }: OpenedFrame): Uint8Array<ArrayBuffer> {
  const maxOutputLength = Math.max(1, bodyLength);
  const body =
    compression === "none"
      ? compressed
      : compression === "gzip"
        ? gunzipSync(compressed, { maxOutputLength })
        : // A window of 8 MiB: a frame may ask its reader for more memory than its body has.
          zstdDecompressSync(compressed, { maxOutputLength, params: { [constants.ZSTD_d_windowLogMax]: 23 } });
  if (body.length !== bodyLength) {
    throw new VedetteError("invalid_batch", `the body has ${body.length} bytes where the frame says ${bodyLength}`);
  }
  return new Uint8Array(body.buffer as ArrayBuffer, body.byteOffset, body.length);
}

function wrongColumn(header: BatchHeader): string | undefined {
  const { columns } = header;
  for (const standard of standardColumns) {
    const type = columns.find(({ name }) => name === standard.name)?.type;
    if (type !== standard.type) return `column ${standard.name} is ${type ?? "missing"}, not ${standard.type}`;
  }
  for (const { name, type } of columns) {
    // SQLite would keep another name than it was given.
    if (!name.isWellFormed() || /\p{Cc}/u.test(name)) return "a column name has characters that are no text";
    // Columns that this reader does not know may stand there: a newer agent's batch is stored, and they are passed over.
    if (name === "out:label" && (type !== "u16" || header.classes === null))
      return "out:label is no class of the header";
    if (name === "out:value" && type !== "f64") return "out:value is not f64";
  }
  if (header.classes?.some((name) => name.length > maxText)) return `a class name is over ${maxText} characters`;
  if (!Number.isSafeInteger(header.firstN + header.count)) return "the predictions' numbers are over 2^53";
  return undefined;
}

/** What is missing follows number by number, and so that every batch number is settled once. */
function wrongAccount({ count, seq, missing }: BatchHeader): string | undefined {
  if (missing.length === 0) return undefined;
  if (count > 0) return "an account of what is missing holds predictions";
  const settled = settledBy({ missing });
  if (settled > maxSettled || seq + settled > 2 ** 32)
    return `the account settles ${settled} batches, over ${maxSettled}`;
  let next = 0;
  for (const { from, ends } of missing) {
    for (const number of [from, ...ends]) {
      if (number < next || !Number.isSafeInteger(number)) return "the account's numbers are not in order";
      next = number;
    }
  }
  return undefined;
}

function wrongValue({ header, columns }: PredictionBatch): string | undefined {
  const offset = header.clock.offset ?? 0;
  const isTime = (ms: number) => Math.abs(ms) <= maxTime && Math.abs(ms + offset) <= maxTime;
  if (!numbers(columns.time).every(isTime)) return "a time is no date";
  if (!numbers(columns.eventTime).every((ms) => Number.isNaN(ms) || Math.abs(ms) <= maxTime)) {
    return "an event time is no date";
  }
  const labels = columns["out:label"];
  const classes = header.classes?.length ?? 0;
  if (labels && !numbers(labels).every((label) => label === noLabel || label < classes)) {
    return "a label is no class of the header";
  }
  for (const name of ["entity", "request"]) {
    const texts = columns[name] as readonly (string | null)[];
    if (texts.some((text) => text !== null && text.length > maxText)) return `${name} is over ${maxText} characters`;
  }
  return undefined;
}

function numbers(column: PredictionBatch["columns"][string] | undefined): readonly number[] | Float64Array {
  // wrongColumn has seen these columns and their types.
  return column as Float64Array;
}

function asInvalid(error: unknown): VedetteError {
  if (error instanceof VedetteError) return error;
  return new VedetteError("invalid_batch", `the batch does not unpack: ${messageOf(error).slice(0, 200)}`, {
    cause: error,
  });
}
