/**
 * Compares two CSV files with no server: the first becomes a reference, as publishing would make one, and the second is
 * observed as a device would. Talks to the files and the kernels; what it finds is a DriftDocument.
 */
import { basename } from "node:path";
import { leastRowsToJudge } from "@vedette/protocol/drift";
import type { DriftReference, FeatureSpec, Kernels } from "@vedette/wasm-kernels";
import { readReferenceBins, readSnapshotCounts } from "@vedette/wasm-kernels/histograms";
import { drawHistogram } from "../drift-report/draw-histogram.ts";
import type { DriftDocument, DriftFeature } from "../drift-report/drift-document.ts";
import { type ChosenFeature, chooseFeatures } from "./choose-features.ts";
import { type CsvRows, openCsvRows } from "./csv-rows.ts";
import { judgeComparison } from "./judge-comparison.ts";
import { observeStretches } from "./observe-stretches.ts";

export interface CompareOptions {
  /** Only these columns; else all that both files have and that look like a feature. */
  readonly features?: readonly string[] | undefined;
  readonly label?: string | undefined;
  /** Probability of the verdict drift where nothing changed, in (0, 1); half is the features', half the joint test's. */
  readonly alpha: number;
  /** What moved less is a notice: a KS distance, for a category a share; 0 to 1. Default 0. */
  readonly leastEffect?: number | undefined;
}
export interface ComparePorts {
  readonly kernels: Pick<Kernels, "newReferenceBuilder" | "openReference">;
  /** UTC ms. */
  now(): number;
}

/**
 * @param paths of the reference, and of what is compared with it.
 * @throws VedetteError not_found, invalid_csv, invalid_argument: a file that cannot be read, columns that do not fit.
 */
export async function compareFiles(
  paths: { readonly reference: string; readonly current: string },
  options: CompareOptions,
  ports: ComparePorts,
): Promise<DriftDocument> {
  const before = await openCsvRows(paths.reference);
  try {
    const after = await openCsvRows(paths.current, before.columns);
    try {
      return await compare(before, after, options, ports);
    } finally {
      after.close();
    }
  } finally {
    before.close();
  }
}

async function compare(
  before: CsvRows,
  after: CsvRows,
  { features: wanted, label, alpha, leastEffect = 0 }: CompareOptions,
  { kernels, now }: ComparePorts,
): Promise<DriftDocument> {
  const { features: chosen, leftOut } = await chooseFeatures(before, after, { features: wanted, label });
  const bytes = await buildReference(kernels, before, chosen);
  const reference = kernels.openReference(bytes);
  // Half of alpha is the joint test's, where there is one.
  const level = reference.joint ? alpha / 2 : alpha;
  const state = reference.newState({ alpha: level });
  const stretches = observeStretches(reference, after.rows, level);
  try {
    const columns = chosen.map(({ column }) => column);
    for await (const batch of after.batches(columns)) {
      state.observe(batch);
      stretches.observe(batch);
    }
    const report = state.report();
    const bins = readReferenceBins(bytes);
    const counts = readSnapshotCounts(state.snapshot(), bins.length);
    const features = report.features.map((feature, f): DriftFeature => {
      const { role, known } = chosen[f] as ChosenFeature;
      const histogram = drawHistogram(bins[f]!, counts[f]!, known ?? []);
      return { ...feature, kind: known ? "category" : "number", role, lag: reference.lags[f] ?? 1, histogram };
    });
    const { timeline, heat } = stretches.finish();
    const joint = report.joint && { ...report.joint, drift: report.joint.p < level, level };
    const judged = judgeComparison(
      { features, joint, timeline },
      { reference: before.rows, current: after.rows },
      leastEffect,
    );
    return {
      title: `${basename(after.path)} compared with ${basename(before.path)}`,
      at: new Date(now()).toISOString(),
      reference: { name: before.path, rows: before.rows, missingRows: null },
      current: { name: after.path, rows: report.n, missingRows: report.missingRows },
      ...judged,
      alpha,
      features,
      joint,
      timeline,
      heat,
      incidents: [],
      harm: { verdict: "unknown", why: "two files say how the data moved, not what that did to a model's answers" },
      notes: [
        ...leftOut.map(({ name, why }) => `Column ${name} is left out: ${why}.`),
        ...notesOn(reference, before.rows),
      ],
    };
  } finally {
    stretches.free();
    state.free();
    reference.free();
  }
}

async function buildReference(
  kernels: ComparePorts["kernels"],
  rows: CsvRows,
  chosen: readonly ChosenFeature[],
): Promise<Uint8Array> {
  const columns = chosen.map(({ column }) => column);
  const builder = kernels.newReferenceBuilder(
    chosen.map(({ column: { name }, known }): FeatureSpec => {
      return known ? { name, kind: "category", known: known.length } : { name, kind: "number" };
    }),
  );
  try {
    for await (const batch of rows.batches(columns)) builder.sample(batch);
    for await (const batch of rows.batches(columns)) builder.count(batch);
    return builder.finish();
  } finally {
    builder.free();
  }
}

function notesOn(reference: DriftReference, rows: number): string[] {
  const notes: string[] = [];
  if (reference.lag > 1) {
    notes.push(
      `Neighbouring rows of the reference hang together, the longest over ${reference.lag} rows: the tests count one row in so many, feature by feature.`,
    );
  }
  if (!reference.joint) notes.push("Too many features for the test of all at once: each is tested by itself.");
  if (rows < 10 * leastRowsToJudge) notes.push(`A reference of ${rows} rows is small: only large shifts can be told.`);
  return notes;
}
