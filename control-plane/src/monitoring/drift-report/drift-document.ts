/**
 * A drift report as data: what `vedette drift compare` and `vedette drift report` find out, `--json` prints and the page
 * draws. Whoever fills it has judged already: nothing here is computed again.
 */
import type { DriftVerdict } from "@vedette/protocol/drift";
import type { FeatureReport, JointReport } from "@vedette/wasm-kernels";

/** One side of the comparison. */
export interface DriftSide {
  readonly name: string;
  readonly rows: number;
  /** Rows with at least one value missing; null where nobody counted them. */
  readonly missingRows: number | null;
}

/** Shares of the values that are not missing, 0 to 1. */
export interface HistogramBar {
  /** What falls into it: a category, or a range of numbers. */
  readonly label: string;
  readonly reference: number;
  readonly current: number;
}
export interface DriftHistogram {
  readonly bars: readonly HistogramBar[];
  /** Shares of all rows. */
  readonly missing: { readonly reference: number; readonly current: number };
}

export interface DriftFeature extends FeatureReport {
  readonly kind: "number" | "category";
  /** What it is to the model. */
  readonly role: "input" | "answer" | "label";
  /** Neighbouring rows hang together over so many: one row in `lag` counts. */
  readonly lag: number;
  readonly histogram: DriftHistogram;
}

/** The sequential detector from one moment to the next. */
export interface DriftTimeline {
  /** What a place in time is: rows seen, or UTC ms. */
  readonly unit: "rows" | "time";
  /** ln of the detector's threshold: at or above it, it alarms. */
  readonly alarmAt: number;
  /** In order of time. */
  readonly points: readonly {
    readonly at: number;
    readonly logE: number;
    readonly verdict: DriftVerdict;
    readonly top: string | null;
  }[];
}

/** How far each feature lies off in each part of the data: PSI divided by its critical value, above 1 more than chance. */
export interface DriftHeat {
  /** What a line is: a device, or a stretch of rows. */
  readonly of: "device" | "rows";
  readonly features: readonly string[];
  readonly lines: readonly {
    readonly name: string;
    readonly rows: number;
    readonly cells: readonly (number | null)[];
  }[];
  /** Lines left out; those shown are the farthest off. */
  readonly more: number;
}

/** What the control plane recorded as an event. */
interface DriftIncident {
  readonly id: number;
  readonly verdict: DriftVerdict;
  readonly where: string;
  readonly openedAt: string;
  readonly closedAt: string | null;
  readonly features: readonly string[];
}

export interface DriftHarm {
  readonly verdict: "harmful" | "benign" | "unknown";
  readonly why: string;
}

export interface DriftDocument {
  readonly title: string;
  /** When it was made, ISO. */
  readonly at: string;
  readonly reference: DriftSide;
  readonly current: DriftSide;
  readonly verdict: DriftVerdict;
  /** The verdict in a sentence. */
  readonly summary: string;
  /** Probability that the verdict is drift where nothing changed; null where detectors judge, whose rounds to a false alarm are set. */
  readonly alpha: number | null;
  /** In the reference's order. */
  readonly features: readonly DriftFeature[];
  readonly joint: (JointReport & { readonly drift: boolean; readonly level: number }) | null;
  readonly timeline: DriftTimeline | null;
  readonly heat: DriftHeat | null;
  readonly incidents: readonly DriftIncident[];
  readonly harm: DriftHarm;
  /** What a reader should know of how this came about. */
  readonly notes: readonly string[];
}
