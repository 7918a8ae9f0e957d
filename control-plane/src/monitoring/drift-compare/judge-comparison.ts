/** What the tests of two files come to, in a word and a sentence. Pure. */
import type { DriftVerdict } from "@vedette/protocol/drift";
import { effectOf } from "@vedette/protocol/judge-drift";
import type { DriftDocument } from "../drift-report/drift-document.ts";
import { fartherOff } from "../drift-report/farther-off.ts";

/**
 * `drift` when a feature's tests or the joint one say so; `notice` when nothing moved by `leastEffect`, or as a whole nothing
 * did but the detector alarmed on the way through the file (a season, a stretch); `insufficient` when no feature can be judged.
 */
export function judgeComparison(
  { features, joint, timeline }: Pick<DriftDocument, "features" | "joint" | "timeline">,
  rows: { readonly reference: number; readonly current: number },
  leastEffect: number,
): { readonly verdict: DriftVerdict; readonly summary: string } {
  const drifted = features.filter(({ verdict }) => verdict === "drift").sort(fartherOff);
  const far = drifted.filter((feature) => effectOf(feature) >= leastEffect);
  if (far.length > 0) {
    const inputs = far.some(({ role }) => role !== "label");
    const what = inputs ? "" : " Only the label moved: what comes true changed, not what is asked.";
    return {
      verdict: "drift",
      summary: `${far.length} of ${features.length} features moved: ${named(far.map(({ name }) => name))}.${what}`,
    };
  }
  if (drifted.length > 0) {
    const summary = `${named(drifted.map(({ name }) => name))} moved, by less than ${leastEffect}.`;
    return { verdict: "notice", summary };
  }
  if (features.every(({ verdict }) => verdict === "insufficient")) {
    const why = `${rows.current} rows against ${rows.reference}: too few values to tell anything.`;
    return { verdict: "insufficient", summary: why };
  }
  if (joint?.drift) {
    const summary = "No feature by itself, but how they go together has changed.";
    return { verdict: leastEffect > 0 ? "notice" : "drift", summary };
  }
  const alarmed = timeline?.points.find(({ logE }) => logE >= timeline.alarmAt);
  if (alarmed) {
    const where = alarmed.top === null ? "" : ` for ${alarmed.top}`;
    const summary = `As a whole the same, but by row ${alarmed.at} the rows of a stretch differ${where}.`;
    return { verdict: "notice", summary };
  }
  return { verdict: "none", summary: "No difference beyond what chance would give." };
}

function named(names: readonly string[]): string {
  const shown = names.slice(0, 5).join(", ");
  return names.length > 5 ? `${shown} and ${names.length - 5} more` : shown;
}
