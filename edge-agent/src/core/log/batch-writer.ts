/**
 * From the records of a segment to batches on the disk: numbered without a hole, each of one version and short enough for
 * one packet, with only what the log policy lets out, its receipts' root, and the device's signature. Where numbers are
 * missing an account comes before it. prediction-log calls it at each cut and after a start.
 */
import { toHex } from "@vedette/protocol/bytes";
import {
  type BatchHeader,
  encodeBatch,
  encodeHead,
  headerBytes,
  type MissingRun,
  maxBodyBytes,
  sealFrame,
  signedHead,
  standardColumns,
} from "@vedette/protocol/prediction-batch";
import { saltBytes } from "@vedette/protocol/receipt";
import type { PackedRows, Packer, Ports } from "../ports.ts";
import type { Accountant, OwnBatchQueue } from "./batch-queue.ts";
import type { LoggedVersion } from "./logged-rows.ts";
import { packRows } from "./pack-rows.ts";
import { partOf, type Run, runsOf } from "./row-columns.ts";
import { encodeSegment, type SegmentRecord } from "./segment.ts";

export interface BatchLimits {
  /** Rows of one batch, up to half as many more. */
  readonly batchRows: number;
  /** Longest frame, bytes. */
  readonly frameBytes: number;
}
export type BatchPorts = Pick<Ports, "clock" | "compressor" | "crypto" | "key" | "packer" | "random" | "log">;

/** Numbers that are in no record. */
export interface Unlogged {
  readonly from: number;
  /** Exclusive. */
  readonly to: number;
  readonly reason: string;
  readonly version: Pick<LoggedVersion, "digest" | "release"> | null;
}

export interface BatchWriter {
  /** Number of the next batch, and of the first prediction that is in no batch. */
  readonly nextSeq: number;
  readonly batchedTo: number;
  /**
   * Writes durably whatever rows are in no batch yet, and accounts of the numbers between them, which `unlogged` (in order)
   * may explain. @throws VedetteError storage_failed; a repetition goes on from there.
   * @param packing `here`: no answer is held up yet, and starting a thread would take longer.
   */
  write(records: readonly SegmentRecord[], unlogged: readonly Unlogged[], packing?: "apart" | "here"): Promise<void>;
  /** Accounts of `unlogged` and all before. @throws VedetteError storage_failed. */
  account(unlogged: readonly Unlogged[]): Promise<void>;
}

/** A signed frame of a packed body. @throws VedetteError what the key's port throws. */
async function frameOf(
  { epoch, seq }: Pick<BatchHeader, "epoch" | "seq">,
  { compressed, canSlim: _, ...said }: PackedRows,
  key: Ports["key"],
): Promise<Uint8Array<ArrayBuffer>> {
  const head = encodeHead({ epoch, seq, ...said, publicKey: key.publicKeyHex });
  return sealFrame(head, await key.sign(signedHead(head)), compressed);
}

function clockNow(clock: Ports["clock"], offset: number | null): BatchHeader["clock"] {
  return { wall: clock.now(), monotonic: clock.monotonic(), offset };
}

/** Makes the accounts of a stream. */
export function createAccountant(options: {
  agent: string;
  stream: string;
  ports: BatchPorts;
  offset: () => number | null;
}): Accountant {
  const { agent, stream, ports } = options;
  return async ({ epoch, seq }, missing) => {
    const { digest = null, release = null } = missing.at(-1) ?? {};
    const header: BatchHeader = {
      v: 2,
      agent,
      stream,
      epoch,
      seq,
      firstN: missing[0]?.from ?? 0,
      count: 0,
      digest,
      release,
      classes: null,
      clock: clockNow(ports.clock, options.offset()),
      missing: [...missing],
      withheld: {},
      receipts: null,
      columns: [...standardColumns],
    };
    const none = { f64: new Float64Array(0), f32: new Float32Array(0), u8: new Uint8Array(0), text: [] };
    const body = encodeBatch({
      header,
      columns: Object.fromEntries(standardColumns.map(({ name, type }) => [name, none[type]])),
    });
    const { sha256 } = ports.crypto;
    const packed: PackedRows = {
      compression: "none",
      bodyLength: body.length,
      headerSha256: await sha256(headerBytes(body)),
      bodySha256: await sha256(body),
      compressed: body,
      canSlim: false,
    };
    return frameOf(header, packed, ports.key);
  };
}

/**
 * @param options.offset ms to add to the device's clock to reach the control plane's; null before it is known.
 * @param options.nextSeq as saved; what the batches that wait say counts where it is more. So with `batchedTo`.
 */
export function createBatchWriter(options: {
  agent: string;
  stream: string;
  epoch: string;
  ports: BatchPorts;
  limits: BatchLimits;
  batches: OwnBatchQueue;
  account: Accountant;
  offset: () => number | null;
  nextSeq: number;
  batchedTo: number;
}): BatchWriter {
  const { agent, stream, epoch, limits, batches, ports } = options;
  const { clock, log, random } = ports;
  let { nextSeq, batchedTo } = options;
  for (const batch of batches.waiting) {
    if (batch.epoch !== epoch) continue;
    nextSeq = Math.max(nextSeq, batch.through + 1);
    batchedTo = Math.max(batchedTo, batch.nextN);
  }
  const here: Packer = { pack: (question) => packRows(question, ports) };

  async function writeBatch(rows: Run, packer: Packer, slim = false): Promise<void> {
    const { firstN, count } = rows;
    const packed = await packer.pack({
      batch: { agent, stream, epoch, seq: nextSeq, clock: clockNow(ports.clock, options.offset()) },
      segment: encodeSegment(rows.version, rows.records),
      firstN,
      count,
      slim,
      salt: rows.version.policy?.receipts ? toHex(random.bytes(saltBytes)) : "",
    });
    const frame = await frameOf({ epoch, seq: nextSeq }, packed, ports.key);
    if (frame.length > limits.frameBytes || packed.bodyLength > maxBodyBytes) {
      if (count > 1) {
        const half = Math.ceil(count / 2);
        await writeBatch(partOf(rows, firstN, half), packer);
        return writeBatch(partOf(rows, firstN + half, count - half), packer);
      }
      if (packed.canSlim) {
        const done = "sent without inputs and scores";
        log.warn("row_too_wide", { stream, n: firstN, bytes: frame.length, done });
        return writeBatch(rows, packer, true);
      }
    }
    const offset = options.offset();
    const { digest, release } = rows.version;
    const nextN = firstN + count;
    const cutAt = offset === null ? null : clock.now() + offset;
    const batch = {
      epoch,
      seq: nextSeq,
      through: nextSeq,
      firstN,
      nextN,
      rows: { cutAt, digest, release },
    };
    await batches.add(batch, frame);
    nextSeq++;
    batchedTo = nextN;
  }

  /** One batch number for each stretch. */
  async function writeAccount(to: number, unlogged: readonly Unlogged[]): Promise<void> {
    const missing: MissingRun[] = [];
    const tell = (end: number, reason: string, version: Unlogged["version"]): void => {
      const from = missing.at(-1)?.ends.at(-1) ?? batchedTo;
      if (end <= from) return;
      missing.push({ reason, digest: version?.digest ?? null, release: version?.release ?? null, from, ends: [end] });
    };
    for (const stretch of unlogged) {
      if (stretch.from >= to || missing.length >= mostStretches) break;
      tell(Math.min(stretch.from, to), "power_loss", null);
      tell(Math.min(stretch.to, to), stretch.reason, stretch.version);
    }
    if (missing.length < mostStretches) tell(to, "power_loss", null);
    const nextN = missing.at(-1)?.ends.at(-1) ?? to;
    const through = nextSeq + missing.length - 1;
    const frame = await options.account({ epoch, seq: nextSeq }, missing);
    await batches.add({ epoch, seq: nextSeq, through, firstN: batchedTo, nextN, rows: null }, frame);
    nextSeq = through + 1;
    batchedTo = nextN;
  }

  return {
    get nextSeq() {
      return nextSeq;
    },
    get batchedTo() {
      return batchedTo;
    },
    async write(records, unlogged, packing = "apart") {
      const packer = packing === "here" ? here : (ports.packer ?? here);
      for (const run of runsOf(records, batchedTo)) {
        while (run.firstN > batchedTo) await writeAccount(run.firstN, unlogged);
        const size = evenSize(run.count, limits.batchRows);
        for (let at = 0; at < run.count; at += size) {
          await writeBatch(partOf(run, run.firstN + at, Math.min(size, run.count - at)), packer);
        }
      }
    },
    async account(unlogged) {
      const end = unlogged.at(-1)?.to ?? 0;
      while (end > batchedTo) await writeAccount(end, unlogged);
    },
  };
}

/**
 * A segment is cut after the tick that fills it, and so has a few rows more than it should: they must not cost a batch of
 * their own, with its file and its syncs, each time.
 */
function evenSize(rows: number, wanted: number): number {
  return Math.ceil(rows / Math.max(1, Math.round(rows / wanted)));
}

/** Of one account. */
const mostStretches = 100;
