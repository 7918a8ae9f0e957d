/** The rows that a version is to be judged by at the gate: a CSV of held-out rows, as it is sent. Talks to csv-table.ts. */
import { basename } from "node:path";
import type { InputField } from "@vedette/protocol/bundle";
import { utf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import {
  type EvaluationRows,
  type evaluationLineage,
  maxEvaluationBytes,
  maxEvaluationRows,
} from "@vedette/protocol/gate-api";
import { type LogPolicy, ruleOfField } from "@vedette/protocol/log-policy";
import type { z } from "zod";
import { sha256 } from "../sha256.ts";
import { readCsv } from "./csv-table.ts";
import { spread } from "./evaluate.ts";

export interface Evaluation {
  readonly lineage: z.infer<typeof evaluationLineage>;
  readonly bytes: Uint8Array<ArrayBuffer>;
}

/**
 * Rows without a label are left out.
 * @throws VedetteError invalid_argument (no label named, or the log policy withholds a field), invalid_csv, too_large, not_found.
 */
export async function readEvaluation(
  path: string,
  label: string | undefined,
  fields: readonly InputField[],
  log: LogPolicy,
): Promise<Evaluation> {
  const refuse = (why: string) => new VedetteError("invalid_argument", `--evaluation ${path}: ${why}`);
  if (label === undefined) throw refuse("name the column of the right answers by --label");
  const withheld = fields.find(({ name }) => ruleOfField(log, name).mode !== "full");
  if (withheld) {
    throw refuse(
      `its rows would go to the control plane, and the log policy keeps ${withheld.name} from it: leave one of them out`,
    );
  }
  const raw = fields.find(({ kind }) => kind === "summary");
  if (raw) throw refuse(`a CSV does not hold tensor ${raw.tensor}, which is no column`);
  const table = await readCsv(path);
  try {
    const lacking = [label, ...fields.map(({ name }) => name)].find(
      (name) => !table.columns.some((column) => column.name === name),
    );
    if (lacking !== undefined) throw new VedetteError("invalid_csv", `${path} has no column "${lacking}"`);
    const columns: (Float64Array | (string | null)[])[] = [];
    for (const { name, kind } of fields) {
      columns.push(kind === "category" ? await table.texts(name) : await table.numbers(name));
    }
    const labels = await table.texts(label);
    const labelled = labels.flatMap((text, row) => (text === null ? [] : [row]));
    const chosen = spread(labelled.length, maxEvaluationRows).map((at) => labelled[at] as number);
    if (chosen.length === 0) throw new VedetteError("invalid_csv", `no row of ${path} has a "${label}"`);
    const value = (of: number | string | null | undefined) => (of === undefined || Number.isNaN(of) ? null : of);
    const rows: EvaluationRows = {
      format: "vedette.evaluation/1",
      fields: fields.map(({ name }) => name),
      rows: chosen.map((row) => columns.map((column) => value(column[row]))),
      labels: chosen.map((row) => labels[row] as string),
    };
    const bytes = utf8(JSON.stringify(rows));
    if (bytes.length > maxEvaluationBytes) {
      throw new VedetteError(
        "too_large",
        `${path} takes ${bytes.length} bytes, over ${maxEvaluationBytes}: give fewer rows`,
      );
    }
    return { lineage: { file: basename(path), sha256: sha256(bytes), rows: chosen.length }, bytes };
  } finally {
    table.close();
  }
}
