/** A prediction batch as columns of the lake: names, DuckDB types and values, ready for a data chunk. */
import {
  BIGINT,
  BOOLEAN,
  DOUBLE,
  DuckDBTimestampValue,
  type DuckDBType,
  FLOAT,
  TIMESTAMP,
  VARCHAR,
} from "@duckdb/node-api";
import { fallbackReasons, formatPredictionId, sources } from "@vedette/protocol/ids";
import { isWithheld } from "@vedette/protocol/log-policy";
import { type ColumnType, noLabel, noReason, type PredictionBatch } from "@vedette/protocol/prediction-batch";

export type Value = string | number | bigint | boolean | DuckDBTimestampValue | null;
export interface LakeColumn {
  readonly name: string;
  readonly type: DuckDBType;
}

/** Columns that every file has, in this order. */
export const standardLakeColumns: readonly LakeColumn[] = [
  { name: "id", type: VARCHAR },
  { name: "agent", type: VARCHAR },
  { name: "model", type: VARCHAR },
  { name: "epoch", type: VARCHAR },
  { name: "n", type: BIGINT },
  { name: "version", type: BIGINT },
  { name: "digest", type: VARCHAR },
  /** UTC by the control plane's clock: the device's, corrected by the offset it knew. */
  { name: "time", type: TIMESTAMP },
  { name: "received", type: TIMESTAMP },
  { name: "latency_ms", type: FLOAT },
  { name: "source", type: VARCHAR },
  { name: "reason", type: VARCHAR },
  { name: "cached", type: BOOLEAN },
  { name: "confidence", type: FLOAT },
  { name: "entity", type: VARCHAR },
  { name: "event_time", type: TIMESTAMP },
  { name: "request", type: VARCHAR },
  { name: "label", type: VARCHAR },
  { name: "value", type: DOUBLE },
  /** Names of what the log policy kept on the device, so that NULL there is not taken for missing; NULL: nothing. */
  { name: "withheld", type: VARCHAR },
  /** True where the row was erased: who, what was asked and what was answered are gone, that it was answered is not. */
  { name: "erased", type: BOOLEAN },
  /** Number of the batch in the inbox: rows come to the lake in this order. */
  { name: "batch", type: BIGINT },
];

/** What stays of a row that was erased, so that every number is accounted for. */
export const keptOfErased: ReadonlySet<string> = new Set([
  ...["id", "agent", "model", "epoch", "n", "version", "digest", "time", "received"],
  ...["latency_ms", "source", "reason", "cached", "erased", "batch"],
]);

/** A batch column's name in the lake; undefined where it has none. */
export type NameOf = (original: string) => string | undefined;

const lakeTypes: Partial<Record<ColumnType, DuckDBType>> = { f32: FLOAT, text: VARCHAR };

/** The columns that a batch has beside the standard ones. */
export function ownColumns(batch: PredictionBatch, nameOf: NameOf): LakeColumn[] {
  return batch.header.columns.flatMap(({ name, type }) => {
    const column = nameOf(name);
    return column === undefined ? [] : [{ name: column, type: lakeTypes[type] ?? DOUBLE }];
  });
}

export interface ReceivedBatch {
  /** Number in the inbox. */
  readonly id: number;
  readonly batch: PredictionBatch;
  /** UTC ms. */
  readonly received: number;
  /** Places of the rows of which no more is kept than that they were answered. */
  readonly erased: { has(row: number): boolean; readonly size: number };
}

/** All values of a batch by lake column. A column that is not there is NULL in every row. */
export function lakeValues(
  { id, batch, received, erased }: ReceivedBatch,
  nameOf: NameOf,
): ReadonlyMap<string, readonly Value[]> {
  const { header } = batch;
  const numbers = (name: string) => batch.columns[name] as Float64Array | undefined;
  const texts = (name: string) => batch.columns[name] as readonly (string | null)[];
  const same = (value: Value): Value[] => new Array<Value>(header.count).fill(value);
  const n = Array.from({ length: header.count }, (_, i) => header.firstN + i);
  const { agent, stream, epoch, classes } = header;
  const values = new Map<string, readonly Value[]>([
    ["id", n.map((number) => formatPredictionId({ agent, stream, epoch, n: number }))],
    ["agent", same(agent)],
    ["model", same(stream)],
    ["epoch", same(epoch)],
    ["n", n.map(BigInt)],
    ["version", same(header.release === null ? null : BigInt(header.release))],
    ["digest", same(header.digest)],
    ["time", each(numbers("time"), (ms) => timestamp(ms + (header.clock.offset ?? 0)))],
    ["received", same(timestamp(received))],
    ["latency_ms", each(numbers("latency"), known)],
    ["source", each(numbers("source"), (index) => sources[index] ?? `source_${index}`)],
    ["reason", each(numbers("reason"), reason)],
    ["cached", each(numbers("cached"), (flag) => flag !== 0)],
    ["confidence", each(numbers("confidence"), known)],
    ["entity", texts("entity")],
    ["event_time", each(numbers("eventTime"), (ms) => (Number.isNaN(ms) ? null : timestamp(ms)))],
    ["request", texts("request")],
    ["erased", n.map((_, row) => erased.has(row))],
    ["batch", same(BigInt(id))],
  ]);
  values.set("withheld", withheldIn(batch, values.get("id") as readonly string[]));
  const label = numbers("out:label");
  if (label)
    values.set(
      "label",
      each(label, (index) => (index === noLabel ? null : (classes?.[index] ?? null))),
    );
  const value = numbers("out:value");
  if (value) values.set("value", each(value, known));
  for (const { name, type } of header.columns) {
    const column = nameOf(name);
    if (column !== undefined) values.set(column, type === "text" ? texts(name) : each(numbers(name), known));
  }
  if (erased.size === 0) return values;
  return new Map(
    [...values].map(([name, column]) => [
      name,
      keptOfErased.has(name) ? column : column.map((value, row) => (erased.has(row) ? null : value)),
    ]),
  );
}

function withheldIn({ header: { withheld, count } }: PredictionBatch, ids: readonly string[]): (string | null)[] {
  const columns = Object.keys(withheld).sort();
  if (columns.length === 0) return new Array<null>(count).fill(null);
  return ids.map((id) => columns.filter((column) => isWithheld(withheld, column, id)).join(",") || null);
}

function each(column: ArrayLike<number> | undefined, map: (value: number) => Value): Value[] {
  return Array.from(column ?? [], map);
}

/** NaN is how a batch says missing. */
function known(value: number): number | null {
  return Number.isNaN(value) ? null : value;
}

/** A reason that a newer agent appended keeps its number. */
function reason(index: number): string | null {
  return index === noReason ? null : (fallbackReasons[index] ?? `reason_${index}`);
}

function timestamp(ms: number): DuckDBTimestampValue {
  return new DuckDBTimestampValue(BigInt(Math.round(ms * 1000)));
}
