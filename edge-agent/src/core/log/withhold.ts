/**
 * The log policy, applied: from all columns of a batch to those that may leave the device, and what each row's receipt
 * says of them. Pure; batch-writer calls it when a batch is cut, off the answers' path.
 */
import { fromHex, toHex } from "@vedette/protocol/bytes";
import {
  hashedValue,
  type LogPolicy,
  type LogRule,
  ruleOfField,
  sampleUnit,
  type WithheldColumns,
} from "@vedette/protocol/log-policy";
import { type BatchHeader, type ColumnData, noLabel } from "@vedette/protocol/prediction-batch";
import {
  commitColumn,
  commitment,
  type Hash,
  leafHash,
  merkleRoot,
  openNames,
  type ReceiptValue,
  receiptContext,
  receiptValue,
} from "@vedette/protocol/receipt";
import type { RowColumns } from "./row-columns.ts";

type Specs = BatchHeader["columns"];
export interface Published {
  readonly specs: Specs;
  readonly columns: Readonly<Record<string, ColumnData>>;
  readonly withheld: WithheldColumns;
  /** Names of what the commitments cover; empty where nothing was withheld. */
  readonly closed: readonly string[];
  /** Of a row, whether any value of it was withheld. */
  readonly isClosed: (row: number) => boolean;
}

const full: LogRule = { mode: "full" };

function ruleOf(policy: LogPolicy, column: string): LogRule {
  if (column.startsWith("in:")) return ruleOfField(policy, column.slice(3));
  if (column === "entity") return policy.entity ?? full;
  if (column === "request") return policy.request ?? full;
  if (column === "confidence" || column.startsWith("out:")) return policy.outputs ?? full;
  return full;
}

/** @param idOf the prediction id of a number. */
export function withhold(rows: RowColumns, policy: LogPolicy, hash: Hash, idOf: (n: number) => string): Published {
  const specs: Specs = [];
  const columns: Record<string, ColumnData> = Object.create(null);
  const withheld: WithheldColumns = Object.create(null);
  const closed: string[] = [];
  let units: Float64Array | undefined;
  let leastRate = 1;
  let always = false;
  const put = (name: string, type: Specs[number]["type"], data: ColumnData): void => {
    specs.push({ name, type });
    columns[name] = data;
  };
  for (const { name, type } of rows.specs) {
    const data = rows.columns[name] as ColumnData;
    const rule = ruleOf(policy, name);
    if (rule.mode === "full") {
      put(name, type, data);
      continue;
    }
    withheld[name] = rule;
    closed.push(name);
    const standard = name === "entity" || name === "request" || name === "confidence";
    if (rule.mode === "sampled") {
      units ??= Float64Array.from({ length: rows.count }, (_, i) => sampleUnit(idOf(rows.firstN + i)));
      const seen = units;
      leastRate = Math.min(leastRate, rule.rate);
      put(
        name,
        type,
        blank(data, (i) => (seen[i] as number) >= rule.rate),
      );
      continue;
    }
    always = true;
    const salt = policy.salt ?? "";
    if (rule.mode === "hashed" && (name === "entity" || name === "request")) {
      put(
        name,
        type,
        (data as readonly (string | null)[]).map((text) => (text === null ? null : hashedValue(hash, salt, text))),
      );
    } else {
      if (standard)
        put(
          name,
          type,
          blank(data, () => true),
        );
      // Scores are many and say little by their hashes.
      if (rule.mode === "hashed" && !name.startsWith("out:score:") && name !== "confidence") {
        put(`hash:${name}`, "text", hashesOf(name, data, salt, hash, rows.version.classes));
      }
    }
  }
  for (const name of rows.omitted ?? []) {
    if (!Object.hasOwn(withheld, name)) withheld[name] = { mode: "none" };
  }
  return { specs, columns, withheld, closed, isClosed: (i) => always || (units?.[i] ?? 0) >= leastRate };
}

/** The columns with a commitment for each row that has something withheld, and the root over all rows. */
export function receiptsOf(
  header: Omit<BatchHeader, "receipts" | "columns"> & { readonly columns: Specs },
  all: RowColumns,
  published: Published,
  salt: string,
  hash: Hash,
): Pick<Published, "specs" | "columns"> & { readonly receipts: NonNullable<BatchHeader["receipts"]> } {
  const { closed, isClosed } = published;
  const unsealed = { ...header, receipts: { salt, root: "", closed: [...closed] } };
  const context = receiptContext(hash, unsealed);
  const saltBytes = fromHex(salt);
  const open = openNames(header).map((name) => [name, published.columns[name] as ColumnData] as const);
  const hidden = closed.map((name) => all.columns[name] as ColumnData);
  const commits: (string | null)[] = [];
  const leaves: Uint8Array[] = [];
  const values: ReceiptValue[] = new Array(open.length);
  for (let i = 0; i < header.count; i++) {
    const n = header.firstN + i;
    const commit =
      closed.length > 0 && isClosed(i)
        ? commitment(
            hash,
            saltBytes,
            n,
            hidden.map((data) => data[i] ?? null),
          )
        : null;
    if (closed.length > 0) commits.push(commit && toHex(commit));
    for (let c = 0; c < open.length; c++) {
      const [name, data] = open[c] as (typeof open)[number];
      values[c] = receiptValue(header, name, data[i] ?? null);
    }
    leaves.push(leafHash(hash, context, saltBytes, n, values, commit));
  }
  const receipts = { salt, root: toHex(merkleRoot(hash, leaves)), closed: [...closed] };
  if (closed.length === 0) return { specs: published.specs, columns: published.columns, receipts };
  return {
    specs: [...published.specs, { name: commitColumn, type: "text" }],
    columns: { ...published.columns, [commitColumn]: commits },
    receipts,
  };
}

function blank(data: ColumnData, withheld: (row: number) => boolean): ColumnData {
  if (isTexts(data)) return data.map((text, i) => (withheld(i) ? null : text));
  const out = data.slice();
  for (let i = 0; i < out.length; i++) if (withheld(i)) out[i] = out instanceof Uint16Array ? noLabel : Number.NaN;
  return out;
}

function isTexts(data: ColumnData): data is readonly (string | null)[] {
  return Array.isArray(data);
}

/** A class is hashed by its name, so that its hash means the same in every version; what is missing has none. */
function hashesOf(
  name: string,
  data: ArrayLike<number | string | null>,
  salt: string,
  hash: Hash,
  classes: readonly string[] | null,
): (string | null)[] {
  return Array.from(data, (value) => {
    const of = name === "out:label" ? classes?.[Number(value)] : Number.isNaN(value) ? null : value;
    return of === undefined || of === null ? null : hashedValue(hash, salt, of);
  });
}
