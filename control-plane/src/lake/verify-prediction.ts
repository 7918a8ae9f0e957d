/**
 * Proves what a device answered: the row as the lake has it is hashed anew with all rows of its batch, their Merkle root is that
 * of the header, the header is the one whose hash stands in the frame's head, and the device signed that head.
 */
import { createHash, createPublicKey, verify } from "node:crypto";
import { fromHex } from "@vedette/protocol/bytes";
import { messageOf } from "@vedette/protocol/errors";
import { fallbackReasons, type PredictionIdParts, sources } from "@vedette/protocol/ids";
import {
  type BatchHeader,
  batchHeader,
  noLabel,
  noReason,
  openFrame,
  sealFrame,
  signedHead,
} from "@vedette/protocol/prediction-batch";
import {
  commitColumn,
  commitsTo,
  type Hash,
  leafHash,
  merkleRoot,
  openNames,
  type ReceiptValue,
  receiptContext,
} from "@vedette/protocol/receipt";
import type { ProofRow, RecordRow } from "../ports.ts";

const sha256: Hash = (bytes) => createHash("sha256").update(bytes).digest();
const hex = (bytes: Uint8Array) => Buffer.from(bytes).toString("hex");

export interface Verdict {
  readonly proven: boolean;
  /** What is wrong, or what was proven of what. */
  readonly why: string;
  /** Whether the values given were those that were withheld; null where none were given. */
  readonly inputs: boolean | null;
}

/**
 * @param rows of the batch, in their order, with whole times (`time_us`, `event_time_us`: µs).
 * @param columnOf the lake's name of a batch column; undefined where it has none.
 * @param enrolled the public key that the device has now, hex; undefined where it is unknown.
 * @param given withheld values by batch column.
 */
export function verifyPrediction(options: {
  id: PredictionIdParts;
  proof: ProofRow;
  rows: readonly RecordRow[];
  columnOf: (name: string) => string | undefined;
  enrolled: string | undefined;
  given?: Readonly<Record<string, ReceiptValue>> | undefined;
}): Verdict {
  const { id, proof, rows, columnOf, enrolled, given } = options;
  const no = (why: string): Verdict => ({ proven: false, why, inputs: null });
  if (!isSigned(proof)) return no("the batch's head is not signed by the key kept with it");
  if (proof.publicKey !== enrolled) return no(`the key that signed the batch is not the one ${id.agent} enrolled with`);
  const said = headerOf(proof);
  if (typeof said === "string") return no(said);
  const { receipts } = said;
  if (!receipts) return no("the model's log policy asked for no receipts");
  if (said.agent !== id.agent || said.stream !== id.stream || said.epoch !== id.epoch)
    return no("the header is of another spool");
  if (rows.some(({ erased }) => erased === true))
    return no(
      "a row of this batch was erased: its root can be no longer computed from the lake; its header is signed by the device",
    );
  if (rows.length !== said.count) {
    return no(
      `the lake has ${rows.length} of the batch's ${said.count} rows: the others were removed, by retention or by hand`,
    );
  }
  const context = receiptContext(sha256, said);
  const salt = fromHex(receipts.salt);
  const leaves = rows.map((row, i) => {
    const commit = row[columnOf(commitColumn) ?? ""];
    const values = valuesOf(row, said, columnOf);
    const open = openNames(said).map((name) => values[name] ?? null);
    return leafHash(sha256, context, salt, said.firstN + i, open, typeof commit === "string" ? fromHex(commit) : null);
  });
  if (hex(merkleRoot(sha256, leaves)) !== receipts.root) {
    return no("the rows of this batch are not those that the device signed: a value was changed in the lake");
  }
  const commit = rows[id.n - said.firstN]?.[columnOf(commitColumn) ?? ""];
  if (given === undefined) return { proven: true, why: "the device signed this row", inputs: null };
  if (typeof commit !== "string")
    return { proven: true, why: "nothing was withheld of this row: the lake has its values", inputs: null };
  // Inputs are logged at their tensors' precision.
  const single = Object.fromEntries(
    Object.entries(given).map(([name, value]) => [name, typeof value === "number" ? Math.fround(value) : value]),
  );
  const inputs = [given, single].some((values) => commitsTo(sha256, said, id.n, values, commit));
  return {
    proven: inputs,
    why: inputs ? "the device signed this row and these values" : "these are not the values that were withheld",
    inputs,
  };
}

function isSigned({ head, signature, publicKey }: ProofRow): boolean {
  try {
    const x = Buffer.from(publicKey, "hex").toString("base64url");
    const key = createPublicKey({ key: { kty: "OKP", crv: "Ed25519", x }, format: "jwk" });
    return verify(null, signedHead(new Uint8Array(head)), key, Buffer.from(signature, "hex"));
  } catch {
    return false; // no point of the curve: nobody signed by it
  }
}

function headerOf({ head, header, signature }: ProofRow): BatchHeader | string {
  const { headerSha256 } = openFrame(sealFrame(new Uint8Array(head), signature, new Uint8Array(0)));
  if (hex(sha256(new Uint8Array(header))) !== headerSha256) return "the header kept is not the one that was signed";
  try {
    return batchHeader.parse(JSON.parse(Buffer.from(header).toString("utf8")));
  } catch (error) {
    return `the header does not fit its schema: ${messageOf(error).slice(0, 200)}`;
  }
}

/** What the batch's receipts cover, from the lake's row: numbers for classes and sources again, NaN for what is missing. */
function valuesOf(
  row: RecordRow,
  header: BatchHeader,
  columnOf: (name: string) => string | undefined,
): Record<string, ReceiptValue> {
  const number = (value: RecordRow[string] | undefined) =>
    value === null || value === undefined ? Number.NaN : Number(value);
  const place = (names: readonly string[], value: RecordRow[string] | undefined, none: number, prefix: string) => {
    if (value === null || value === undefined) return none;
    const at = names.indexOf(String(value));
    return at >= 0 ? at : Number(String(value).slice(prefix.length));
  };
  const text = (value: RecordRow[string] | undefined) => (value === null || value === undefined ? null : String(value));
  return Object.fromEntries(
    header.columns.map(({ name, type }): [string, ReceiptValue] => {
      // Receipts cover times as the lake has them, in whole µs.
      if (name === "time") return [name, number(row.time_us)];
      if (name === "eventTime") return [name, number(row.event_time_us)];
      if (name === "latency") return [name, number(row.latency_ms)];
      if (name === "source") return [name, place(sources, row.source, 255, "source_")];
      if (name === "reason") return [name, place(fallbackReasons, row.reason, noReason, "reason_")];
      if (name === "cached") return [name, row.cached === true ? 1 : 0];
      if (name === "out:label") return [name, place(header.classes ?? [], row.label, noLabel, "")];
      if (name === "out:value") return [name, number(row.value)];
      const column = { confidence: "confidence", entity: "entity", request: "request" }[name] ?? columnOf(name) ?? "";
      return [name, type === "text" ? text(row[column]) : number(row[column])];
    }),
  );
}
