/**
 * Rows to the compressed body of a batch: their columns, what of them the log policy lets out, their receipts. Pure but for
 * the tools it is given, and asked in plain data: batch-writer asks port Packer, which does it here or in another thread.
 */
import { VedetteError } from "@vedette/protocol/errors";
import { formatPredictionId } from "@vedette/protocol/ids";
import type { LogPolicy } from "@vedette/protocol/log-policy";
import { encodeBatch, headerBytes } from "@vedette/protocol/prediction-batch";
import type { PackedRows, PackQuestion, Ports } from "../ports.ts";
import { columnsOf, type RowColumns, runsOf, withoutDetail } from "./row-columns.ts";
import { readRecords } from "./segment.ts";
import { receiptsOf, withhold } from "./withhold.ts";

export type PackTools = Pick<Ports, "compressor" | "crypto">;

const policyOfOld: LogPolicy = { inputs: "full" };

/** @throws VedetteError invalid_batch where the records are not one whole run, or its columns do not fit together. */
export async function packRows(question: PackQuestion, { compressor, crypto }: PackTools): Promise<PackedRows> {
  const { rows, canSlim } = rowsOf(question);
  const body = bodyOf(question, rows, crypto.hash);
  const compressed = await compressor.compress(body);
  return {
    compression: compressor.kind,
    bodyLength: body.length,
    headerSha256: await crypto.sha256(headerBytes(body)),
    bodySha256: await crypto.sha256(compressed),
    compressed,
    canSlim,
  };
}

function rowsOf({ segment, firstN, count, slim }: PackQuestion): { rows: RowColumns; canSlim: boolean } {
  const [run, ...more] = runsOf(readRecords(segment), firstN);
  if (!run || more.length > 0 || run.firstN !== firstN || run.count < count) {
    throw new VedetteError("invalid_batch", `rows ${firstN} to ${firstN + count} are not one run of their records`);
  }
  const whole = columnsOf({ ...run, count });
  const short = withoutDetail(whole);
  return { rows: slim ? short : whole, canSlim: !slim && short.specs.length < whole.specs.length };
}

function bodyOf(
  { batch, firstN, count, salt }: PackQuestion,
  rows: RowColumns,
  hash: PackTools["crypto"]["hash"],
): Uint8Array<ArrayBuffer> {
  const { agent, stream, epoch } = batch;
  const { digest, release, classes, policy = policyOfOld } = rows.version;
  const published = withhold(rows, policy, hash, (n) => formatPredictionId({ agent, stream, epoch, n }));
  const { withheld, specs, columns } = published;
  const header = {
    v: 2 as const,
    ...batch,
    firstN,
    count,
    digest,
    release,
    classes,
    missing: [],
    withheld,
    columns: specs,
  };
  if (!policy.receipts) return encodeBatch({ header: { ...header, receipts: null }, columns });
  const sealed = receiptsOf(header, rows, published, salt, hash);
  return encodeBatch({
    header: { ...header, receipts: sealed.receipts, columns: sealed.specs },
    columns: sealed.columns,
  });
}
