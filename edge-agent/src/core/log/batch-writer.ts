/**
 * From the records of a segment to batches on the disk: numbered without a hole, each of one version and short enough for
 * one packet, with the gap before it where numbers are missing. prediction-log calls it at each cut and after a start.
 */
import { encodeBatch, frameBatch, maxBodyBytes } from "@vedette/protocol/prediction-batch";
import type { Ports } from "../ports.ts";
import type { OwnBatchQueue } from "./batch-queue.ts";
import { type RowColumns, runsOf, sliceRows, withoutDetail } from "./row-columns.ts";
import type { SegmentRecord } from "./segment.ts";

export interface BatchLimits {
  /** Rows of one batch, up to half as many more. */
  readonly batchRows: number;
  /** Longest frame, bytes. */
  readonly frameBytes: number;
}

export interface BatchWriter {
  /** Number of the next batch, and of the first prediction that is in no batch. */
  readonly nextSeq: number;
  readonly batchedTo: number;
  /** Writes durably whatever rows are in no batch yet. @throws VedetteError storage_failed; a repetition goes on from there. */
  write(records: readonly SegmentRecord[]): Promise<void>;
}

/**
 * @param options.offset ms to add to the device's clock to reach the control plane's; null before it is known.
 * @param options.nextSeq as saved; what the batches that wait say counts where it is more. So with `batchedTo`.
 */
export function createBatchWriter(options: {
  agent: string;
  stream: string;
  epoch: string;
  ports: Pick<Ports, "clock" | "compressor" | "log">;
  limits: BatchLimits;
  batches: OwnBatchQueue;
  offset: () => number | null;
  nextSeq: number;
  batchedTo: number;
}): BatchWriter {
  const { agent, stream, epoch, limits, batches } = options;
  const { clock, compressor, log } = options.ports;
  let { nextSeq, batchedTo } = options;
  for (const { seq, firstN, count } of batches.waiting) {
    nextSeq = Math.max(nextSeq, seq + 1);
    batchedTo = Math.max(batchedTo, firstN + count);
  }

  async function writeBatch(rows: RowColumns): Promise<void> {
    const body = encodeBatch({
      header: {
        v: 1,
        agent,
        stream,
        epoch,
        seq: nextSeq,
        firstN: rows.firstN,
        count: rows.count,
        digest: rows.version.digest,
        release: rows.version.release,
        classes: rows.version.classes,
        clock: { wall: clock.now(), monotonic: clock.monotonic(), offset: options.offset() },
        gap: rows.firstN > batchedTo ? { from: batchedTo, to: rows.firstN - 1 } : null,
        columns: [...rows.specs],
      },
      columns: rows.columns,
    });
    const frame = frameBatch({ epoch, seq: nextSeq }, compressor.kind, body.length, await compressor.compress(body));
    if (frame.length > limits.frameBytes || body.length > maxBodyBytes) {
      if (rows.count > 1) {
        const half = Math.ceil(rows.count / 2);
        await writeBatch(sliceRows(rows, 0, half));
        return writeBatch(sliceRows(rows, half, rows.count));
      }
      const slim = withoutDetail(rows);
      if (slim.specs.length < rows.specs.length) {
        const done = "sent without inputs and scores";
        log.warn("row_too_wide", { stream, n: rows.firstN, bytes: frame.length, done });
        return writeBatch(slim);
      }
    }
    await batches.add({ seq: nextSeq, firstN: rows.firstN, count: rows.count }, frame);
    nextSeq++;
    batchedTo = rows.firstN + rows.count;
  }

  return {
    get nextSeq() {
      return nextSeq;
    },
    get batchedTo() {
      return batchedTo;
    },
    async write(records) {
      for (const run of runsOf(records, batchedTo)) {
        const size = evenSize(run.count, limits.batchRows);
        for (let at = 0; at < run.count; at += size) {
          await writeBatch(sliceRows(run, at, Math.min(run.count, at + size)));
        }
      }
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
