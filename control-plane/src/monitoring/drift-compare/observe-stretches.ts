/** How a file goes from its first row to its last: the sequential detector, and each stretch against the reference. */
import { type DriftVerdict, leastRowsToJudge } from "@vedette/protocol/drift";
import type { DriftReference, DriftReport } from "@vedette/wasm-kernels";
import type { DriftHeat, DriftTimeline } from "../drift-report/drift-document.ts";
import { heatCells } from "../drift-report/heat-cells.ts";
import type { CsvFeature, CsvRows } from "./csv-rows.ts";

/** Stretches of a long file; those of a short one are not shorter than what can be judged. */
const mostStretches = 24;
const mostRows = 1e9;

/**
 * @param alpha level of each stretch's tests, and of the detector over the whole file: it alarms without drift with at
 *   most about this probability, its threshold being rows / alpha.
 */
export async function observeStretches(
  reference: DriftReference,
  rows: CsvRows,
  features: readonly CsvFeature[],
  alpha: number,
): Promise<{ timeline: DriftTimeline; heat: DriftHeat }> {
  const length = Math.max(2 * leastRowsToJudge, Math.ceil(rows.rows / mostStretches));
  const threshold = Math.min(mostRows, Math.max(2, rows.rows / alpha));
  const state = reference.newState({ alpha, threshold });
  const points: DriftTimeline["points"][number][] = [];
  const lines: DriftHeat["lines"][number][] = [];
  const alarmAt = Math.log(threshold);
  let seen = 0;
  const end = (): void => {
    const report = state.report();
    seen += report.n;
    // Within a stretch the detector may have stood higher than at its end.
    const logE = report.alarm ? Math.max(report.logE, alarmAt) : report.logE;
    points.push({ at: seen, logE, verdict: verdictOf(report), top: report.topFeature });
    lines.push({ name: `to row ${seen}`, rows: report.n, cells: heatCells(report) });
    state.roll();
  };
  try {
    const width = features.length;
    for await (const batch of rows.batches(features)) {
      for (let at = 0; at < batch.length; ) {
        const some = Math.min(batch.length - at, (length - state.n) * width);
        state.observe(batch.subarray(at, at + some));
        at += some;
        if (state.n === length) end();
      }
    }
    if (state.n > 0) end();
  } finally {
    state.free();
  }
  return {
    timeline: { unit: "rows", alarmAt, points },
    heat: { of: "rows", features: reference.names, lines, more: 0 },
  };
}

function verdictOf({ features, alarm }: DriftReport): DriftVerdict {
  if (alarm || features.some(({ verdict }) => verdict === "drift")) return "drift";
  return features.every(({ verdict }) => verdict === "insufficient") ? "insufficient" : "none";
}
