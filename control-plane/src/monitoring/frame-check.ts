/**
 * Is this frame a prediction batch of the device and stream that sent it? Called by the inbox before it stores, so that
 * the lake never meets garbage; the lake unpacks stored frames with the same `unpackFrame`.
 */
import { constants, gunzipSync, zstdDecompressSync } from "node:zlib";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import {
  type BatchHeader,
  batchHeader,
  decodeBatch,
  type FrameName,
  nameOfFrame,
  noLabel,
  openFrame,
  type PredictionBatch,
  standardColumns,
} from "@vedette/protocol/prediction-batch";

/** Characters of one entity, request id or class name. */
const maxText = 1024;
/** ms; the range of JavaScript's dates, which TIMESTAMP holds too. */
const maxTime = 8.64e15;

export type CheckedFrame =
  | { kind: "good"; batch: PredictionBatch }
  /** The header can be read, so that the device can be told which batch is refused. */
  | { kind: "refused"; header: BatchHeader; own: boolean; why: string }
  /** Damaged. `name` where it still says which batch it was. */
  | { kind: "unreadable"; name: FrameName | undefined; error: VedetteError };

/** Judges a frame that came on the topic of `agent` and `stream`. Never throws. */
export function checkFrame(agent: string, stream: string, frame: Uint8Array): CheckedFrame {
  let body: Uint8Array;
  let header: BatchHeader;
  try {
    body = inflate(frame);
    header = readHeader(body);
  } catch (error) {
    return { kind: "unreadable", name: nameOfFrame(frame), error: asInvalid(error) };
  }
  const own = header.agent === agent && header.stream === stream;
  const refuse = (why: string): CheckedFrame => ({ kind: "refused", header, own, why });
  if (!own) return refuse(`the batch says it is of ${header.agent}/${header.stream}, and came from ${agent}/${stream}`);
  const name = nameOfFrame(frame);
  if (name?.epoch !== header.epoch || name.seq !== header.seq) {
    const error = new VedetteError("invalid_batch", "the frame names another batch than its body");
    // The body's word counts: it has a checksum, the frame's head has none.
    return { kind: "unreadable", name: { epoch: header.epoch, seq: header.seq }, error };
  }
  try {
    const batch = decodeBatch(body);
    const why = wrongColumn(header) ?? wrongValue(batch);
    return why === undefined ? { kind: "good", batch } : refuse(why);
  } catch (error) {
    return refuse(asInvalid(error).message);
  }
}

/** The batch in a frame. @throws VedetteError invalid_batch, too_large. */
export function unpackFrame(frame: Uint8Array): PredictionBatch {
  try {
    return decodeBatch(inflate(frame));
  } catch (error) {
    throw asInvalid(error);
  }
}

/** Unpacks no more than the frame says, and exactly that: a small packet must not become a large body. */
function inflate(frame: Uint8Array): Uint8Array {
  const { compression, bodyLength, compressed } = openFrame(frame);
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
  return body;
}

function readHeader(body: Uint8Array): BatchHeader {
  const length = body.length < 4 ? 0 : new DataView(body.buffer, body.byteOffset).getUint32(0, true);
  if (length === 0 || length > body.length - 4) {
    throw new VedetteError("invalid_batch", "the batch ends inside its header");
  }
  return batchHeader.parse(JSON.parse(new TextDecoder().decode(body.subarray(4, 4 + length))));
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
  const { gap, firstN } = header;
  if (gap && !(gap.from >= 0 && gap.from <= gap.to && gap.to === firstN - 1))
    return "the gap is not just before the batch";
  if (!Number.isSafeInteger(header.firstN + header.count)) return "the predictions' numbers are over 2^53";
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
