/** How a file goes from its first row to its last: the sequential detector, and each stretch against the reference. */
import { type DriftVerdict, leastRowsToJudge } from "@vedette/protocol/drift";
import type { DriftReference, DriftReport } from "@vedette/wasm-kernels";
import type { DriftHeat, DriftTimeline } from "../drift-report/drift-document.ts";
import { heatCells } from "../drift-report/heat-cells.ts";

/** Stretches of a long file; those of a short one are not shorter than what can be judged. */
const mostStretches = 24;
const mostRows = 1e9;

export interface Stretches {
  /** Rows in their order, row-major. */
  observe(batch: Float32Array): void;
  /** Ends the last stretch. */
  finish(): { timeline: DriftTimeline; heat: DriftHeat };
  free(): void;
}

/**
 * @param rows how many there will be.
 * @param alpha level of each stretch's tests, and of the detector over the whole file: it alarms without drift with at
 *   most about this probability, its threshold being rows / alpha.
 */
export function observeStretches(reference: DriftReference, rows: number, alpha: number): Stretches {
  const length = Math.max(2 * leastRowsToJudge, Math.ceil(rows / mostStretches));
  const threshold = Math.min(mostRows, Math.max(2, rows / alpha));
  const alarmAt = Math.log(threshold);
  const state = reference.newState({ alpha, threshold });
  const points: DriftTimeline["points"][number][] = [];
  const lines: DriftHeat["lines"][number][] = [];
  const width = reference.features.length;
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
  return {
    observe(batch) {
      for (let at = 0; at < batch.length; ) {
        const some = Math.min(batch.length - at, (length - state.n) * width);
        state.observe(batch.subarray(at, at + some));
        at += some;
        if (state.n === length) end();
      }
    },
    finish() {
      if (state.n > 0) end();
      const heat: DriftHeat = { of: "rows", features: reference.names, lines, more: 0 };
      return { timeline: { unit: "rows", alarmAt, points }, heat };
    },
    free: () => state.free(),
  };
}

function verdictOf({ features, alarm }: DriftReport): DriftVerdict {
  if (alarm || features.some(({ verdict }) => verdict === "drift")) return "drift";
  return features.every(({ verdict }) => verdict === "insufficient") ? "insufficient" : "none";
}
