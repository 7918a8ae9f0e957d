/** From the records of a segment to the columns of a batch. Pure: batch-writer decides which rows make one, pack-rows asks. */
import {
  type BatchHeader,
  type ColumnData,
  type ColumnType,
  maxColumns,
  standardColumns,
} from "@vedette/protocol/prediction-batch";
import type { Rows } from "@vedette/protocol/tensors";
import type { LoggedVersion } from "./logged-rows.ts";
import { readColumns, type SegmentRecord } from "./segment.ts";

/** Consecutive rows of one version. */
export interface RowColumns {
  readonly version: LoggedVersion;
  readonly firstN: number;
  readonly count: number;
  readonly specs: BatchHeader["columns"];
  readonly columns: Readonly<Record<string, ColumnData>>;
  /** Names of columns that could have been, and were left out before. */
  readonly omitted?: readonly string[];
}

type RowsRecord = Extract<SegmentRecord, { kind: "rows" }>;
/** Consecutive rows of one version, as their records hold them. */
export interface Run {
  readonly version: LoggedVersion;
  readonly firstN: number;
  readonly count: number;
  /** The first may begin before `firstN`, where a kill left it half in a batch. */
  readonly records: readonly RowsRecord[];
}

/**
 * Runs of rows without a hole and of one version, in order; rows below `from` are left out.
 * @param records of one segment, from its start.
 */
export function runsOf(records: readonly SegmentRecord[], from: number): Run[] {
  const runs: Run[] = [];
  let version: LoggedVersion | undefined;
  let run: RowsRecord[] = [];
  let next = from;
  const close = (): void => {
    const [first] = run;
    if (version && first) {
      const firstN = Math.max(from, first.firstN);
      runs.push({ version, firstN, count: next - firstN, records: run });
    }
    run = [];
  };
  for (const record of records) {
    if (record.kind === "version") {
      close();
      version = record.version;
    } else if (record.firstN + record.count > from) {
      if (record.firstN !== next) close();
      run.push(record);
      next = record.firstN + record.count;
    }
  }
  close();
  return runs;
}

/** Numbers `firstN` up to `firstN + count` of a run, and only the records that hold them. */
export function partOf(run: Run, firstN: number, count: number): Run {
  const records = run.records.filter(
    (record) => record.firstN < firstN + count && record.firstN + record.count > firstN,
  );
  return { version: run.version, firstN, count, records };
}

/** The rows of a run, column by column. */
export function columnsOf({ version, firstN, count, records }: Run): RowColumns {
  const rows = columnsOfRecords(version, records);
  const start = firstN - rows.firstN;
  return sliceRows(rows, start, start + count);
}

/** Rows `start` to `end` of a run. */
function sliceRows(run: RowColumns, start: number, end: number): RowColumns {
  if (start === 0 && end === run.count) return run;
  const columns = Object.fromEntries(Object.entries(run.columns).map(([name, data]) => [name, data.slice(start, end)]));
  return { ...run, firstN: run.firstN + start, count: end - start, columns };
}

/** The same rows with neither inputs nor scores: what is sent of a row that is too wide for a packet. */
export function withoutDetail(run: RowColumns): RowColumns {
  const isDetail = ({ name }: { name: string }) => name.startsWith("in:") || name.startsWith("out:score:");
  const omitted = [...(run.omitted ?? []), ...run.specs.filter(isDetail).map(({ name }) => name)];
  // A header that named a thousand of them would itself be too long.
  return { ...run, specs: run.specs.filter((spec) => !isDetail(spec)), omitted: omitted.slice(0, 100) };
}

function columnsOfRecords(version: LoggedVersion, records: readonly RowsRecord[]): RowColumns {
  const count = records.reduce((sum, record) => sum + record.count, 0);
  const f32 = (): Float32Array => new Float32Array(count);
  const time = new Float64Array(count);
  const latency = f32();
  const source = new Uint8Array(count);
  const reason = new Uint8Array(count);
  const cached = new Uint8Array(count);
  const confidence = f32();
  const entity: (string | null)[] = [];
  const eventTime = new Float64Array(count);
  const request: (string | null)[] = [];
  const label = new Uint16Array(version.classes ? count : 0);
  const scores = (version.classes ?? []).map(f32);
  const value = new Float64Array(version.value ? count : 0);
  const inputs = version.fields.map(() => (version.wide ? new Float64Array(count) : f32()));
  const textInputs = new Map(version.texts.map((name): [string, (string | null)[]] => [name, []]));

  let at = 0;
  for (const record of records) {
    const { columns: from, texts, inputs: given } = readColumns(version, record);
    for (const [t, column] of [...textInputs.values()].entries()) {
      for (let row = 0; row < record.count; row++) column.push(given[row * textInputs.size + t] ?? null);
    }
    time.fill(record.time, at, at + record.count);
    source.set(from.source, at);
    reason.set(from.reason, at);
    cached.set(from.cached, at);
    confidence.set(from.confidence, at);
    if (version.classes) label.set(from.label, at);
    if (version.value) value.set(from.value, at);
    spread(from.scores, scores, at, record.count);
    spread(from.inputs, inputs, at, record.count);
    for (let g = 0; g < from.groupRows.length; g++) {
      for (const end = at + (from.groupRows[g] as number); at < end; at++) {
        latency[at] = from.latency[g] as number;
        eventTime[at] = from.eventTime[g] as number;
        entity.push(texts[2 * g] as string | null);
        request.push(texts[2 * g + 1] as string | null);
      }
    }
  }

  const specs: { name: string; type: ColumnType }[] = [...standardColumns];
  const columns: Record<string, ColumnData> = Object.assign(Object.create(null), {
    time,
    latency,
    source,
    reason,
    cached,
    confidence,
    entity,
    eventTime,
    request,
  });
  const add = (name: string, type: ColumnType, data: ColumnData): void => {
    specs.push({ name, type });
    columns[name] = data;
  };
  for (const [f, name] of version.fields.entries()) {
    const texts = textInputs.get(name);
    if (texts) add(`in:${name}`, "text", texts);
    else add(`in:${name}`, version.wide ? "f64" : "f32", inputs[f] as ColumnData);
  }
  if (version.classes) {
    add("out:label", "u16", label);
    for (const [c, name] of version.classes.entries()) add(`out:score:${name}`, "f32", scores[c] as ColumnData);
  }
  if (version.value) add("out:value", "f64", value);
  const omitted = (version.absent ?? []).map((name) => `in:${name}`);
  const run = { version, firstN: records[0]?.firstN ?? 0, count, specs, columns, omitted };
  return specs.length > maxColumns || specs.some(({ name }) => name.length > 280) ? withoutDetail(run) : run;
}

/** Rows [count][columns] into their columns, from place `at` on. */
function spread(rows: Rows, columns: readonly Rows[], at: number, count: number): void {
  const width = columns.length;
  for (let c = 0; c < width; c++) {
    const column = columns[c] as Rows;
    for (let row = 0; row < count; row++) column[at + row] = rows[row * width + c] as number;
  }
}
