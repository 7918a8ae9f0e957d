/**
 * Receipts: proof that a prediction, with just these values, was in a batch that its device signed. Each row is a leaf;
 * the root of their Merkle tree is in the batch's header. Runs anywhere: the hash function is the caller's.
 *
 *     context   sha256(0x02 | JSON of what is the same for all rows: ids, version, classes, column names)
 *     commit    sha256(0x03 | salt | n | values withheld from the batch)       only where the policy withholds any
 *     leaf      sha256(0x00 | context | salt | n | values in the batch | commit)
 *     node      sha256(0x01 | left | right)                                   RFC 6962 §2.1, domain separation included
 *     value     number: f64 little-endian, one NaN · text: u32 bytes (2^32 − 1: null) | UTF-8
 *
 * A row of which nothing was withheld is verified from the lake alone. Where values were withheld, the batch carries their
 * commitment, and who holds the original request can show that it is theirs. The salt is in the header: it keeps equal
 * requests of different batches from being told equal; it does not keep someone who has the batch from trying guesses.
 */
import { concatBytes, fromHex, utf8 } from "./bytes.ts";
import { VedetteError } from "./errors.ts";
import type { BatchHeader } from "./prediction-batch.ts";

/** SHA-256: 32 bytes. */
export type Hash = (bytes: Uint8Array<ArrayBuffer>) => Uint8Array;
export type ReceiptValue = number | string | null;
export type ReceiptHeader = Pick<
  BatchHeader,
  | "agent"
  | "stream"
  | "epoch"
  | "digest"
  | "release"
  | "classes"
  | "columns"
  | "clock"
  | "count"
  | "firstN"
  | "receipts"
>;

/** Bytes of a salt, as hex in the header. */
export const saltBytes = 16;
/** The column with the commitments to what was withheld, as hex. It is no value of the row. */
export const commitColumn = "commit";
const noText = 0xffff_ffff;

/** Names of the values in the batch that a leaf covers, in their order. */
export function openNames(header: Pick<ReceiptHeader, "columns">): string[] {
  return header.columns.map(({ name }) => name).filter((name) => name !== commitColumn);
}

/** What all leaves of a batch have in common. @param header with receipts. */
export function receiptContext(hash: Hash, header: ReceiptHeader): Uint8Array {
  const { agent, stream, epoch, digest, release, classes, receipts } = header;
  if (!receipts) throw new VedetteError("not_found", `this batch of ${agent}/${stream} carries no receipts`);
  const said = [agent, stream, epoch, digest, release, classes, openNames(header), receipts.closed];
  return hash(concatBytes([Uint8Array.of(2), utf8(JSON.stringify(said))]));
}

/** Times are covered as the lake tells them: whole µs of the control plane's clock; event times as the client gave them. */
export function receiptValue(header: Pick<ReceiptHeader, "clock">, name: string, raw: ReceiptValue): ReceiptValue {
  if (typeof raw !== "number") return raw;
  if (name === "time") return Math.round((raw + (header.clock.offset ?? 0)) * 1000);
  return name === "eventTime" ? Math.round(raw * 1000) : raw;
}

/** Commitment to the values that were withheld from a row. */
export function commitment(hash: Hash, salt: Uint8Array, n: number, values: readonly ReceiptValue[]): Uint8Array {
  return hash(rowBytes(3, [salt], n, values));
}

/** A leaf. @param values of `openNames`, as `receiptValue` gives them. @param commit null where nothing was withheld. */
export function leafHash(
  hash: Hash,
  context: Uint8Array,
  salt: Uint8Array,
  n: number,
  values: readonly ReceiptValue[],
  commit: Uint8Array | null,
): Uint8Array {
  return hash(rowBytes(0, [context, salt], n, values, commit ?? undefined));
}

/** RFC 6962 §2.1: the largest power of two below n splits n leaves. The root of none is sha256 of nothing. */
export function merkleRoot(hash: Hash, leaves: readonly Uint8Array[]): Uint8Array {
  if (leaves.length === 0) return hash(new Uint8Array(0));
  let level = leaves;
  // Pairing level by level, an odd last one passed up, makes the same tree.
  while (level.length > 1) {
    const next: Uint8Array[] = [];
    for (let i = 0; i + 1 < level.length; i += 2)
      next.push(node(hash, level[i] as Uint8Array, level[i + 1] as Uint8Array));
    if (level.length % 2 === 1) next.push(level.at(-1) as Uint8Array);
    level = next;
  }
  return level[0] as Uint8Array;
}

/** What, beside the leaf, leads to the root: from the bottom up. @throws VedetteError invalid_argument. */
export function inclusionProof(hash: Hash, leaves: readonly Uint8Array[], index: number): Uint8Array[] {
  if (!Number.isInteger(index) || index < 0 || index >= leaves.length) {
    throw new VedetteError("invalid_argument", `there is no leaf ${index} among ${leaves.length}`);
  }
  const proof: Uint8Array[] = [];
  let level = leaves;
  for (let at = index; level.length > 1; at >>= 1) {
    const beside = level[at ^ 1];
    if (beside) proof.push(beside);
    const next: Uint8Array[] = [];
    for (let i = 0; i < level.length; i += 2) {
      const [left, right] = [level[i] as Uint8Array, level[i + 1]];
      next.push(right ? node(hash, left, right) : left);
    }
    level = next;
  }
  return proof;
}

/** The root that a leaf and its proof lead to; undefined where the proof does not fit a tree of `count` leaves. */
export function rootOfProof(
  hash: Hash,
  leaf: Uint8Array,
  index: number,
  count: number,
  proof: readonly Uint8Array[],
): Uint8Array | undefined {
  if (!(Number.isInteger(index) && index >= 0 && index < count)) return undefined;
  let root = leaf;
  let used = 0;
  for (let [at, width] = [index, count]; width > 1; at >>= 1, width = Math.ceil(width / 2)) {
    if ((at ^ 1) >= width) continue;
    const beside = proof[used++];
    if (beside?.length !== 32) return undefined;
    root = at % 2 === 1 ? node(hash, beside, root) : node(hash, root, beside);
  }
  return used === proof.length ? root : undefined;
}

/**
 * The leaf of one row, from values as the batch has them.
 * @param row by column name. @param commit as the batch's column says, hex; null where it has none.
 */
export function leafOfRow(
  hash: Hash,
  header: ReceiptHeader,
  n: number,
  row: Readonly<Record<string, ReceiptValue>>,
  commit: string | null,
  context = receiptContext(hash, header),
): Uint8Array {
  const values = openNames(header).map((name) => receiptValue(header, name, row[name] ?? null));
  return leafHash(
    hash,
    context,
    fromHex(header.receipts?.salt ?? ""),
    n,
    values,
    commit === null ? null : fromHex(commit),
  );
}

/** Whether a row's withheld values are these, by name, as `receipts.closed` orders them. */
export function commitsTo(
  hash: Hash,
  header: ReceiptHeader,
  n: number,
  withheld: Readonly<Record<string, ReceiptValue>>,
  commit: string,
): boolean {
  const { receipts } = header;
  if (!receipts) return false;
  const values = receipts.closed.map((name) => withheld[name] ?? null);
  return equalBytes(commitment(hash, fromHex(receipts.salt), n, values), fromHex(commit));
}

export function equalBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, i) => byte === b[i]);
}

function node(hash: Hash, left: Uint8Array, right: Uint8Array): Uint8Array {
  const bytes = new Uint8Array(65);
  bytes[0] = 1;
  bytes.set(left, 1);
  bytes.set(right, 33);
  return hash(bytes);
}

/** One buffer for all rows: a hash function reads it before the next is written. */
let scratch = new Uint8Array(1024);
let view = new DataView(scratch.buffer);

function rowBytes(
  kind: number,
  before: readonly Uint8Array[],
  n: number,
  values: readonly ReceiptValue[],
  after?: Uint8Array,
): Uint8Array<ArrayBuffer> {
  scratch[0] = kind;
  let at = 1;
  const room = (bytes: number): void => {
    if (at + bytes <= scratch.length) return;
    const longer = new Uint8Array(2 * (at + bytes));
    longer.set(scratch);
    scratch = longer;
    view = new DataView(scratch.buffer);
  };
  const put = (bytes: Uint8Array): void => {
    room(bytes.length);
    scratch.set(bytes, at);
    at += bytes.length;
  };
  for (const bytes of before) put(bytes);
  room(8 + 8 * values.length);
  view.setFloat64(at, n, true);
  at += 8;
  for (const value of values) {
    if (typeof value === "number") {
      room(8);
      // The bits of NaN are each engine's own, and the lake keeps none of them.
      if (Number.isNaN(value)) view.setBigUint64(at, 0x7ff8_0000_0000_0000n, true);
      else view.setFloat64(at, value, true);
      at += 8;
    } else {
      const text = value === null ? undefined : utf8(value);
      room(4);
      view.setUint32(at, text?.length ?? noText, true);
      at += 4;
      if (text) put(text);
    }
  }
  if (after) put(after);
  return scratch.subarray(0, at);
}
