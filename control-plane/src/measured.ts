/** What is asked of labelled predictions and metrics, and what was measured: between lake/, which joins, and those who judge. */
import type { lossMeasures } from "@vedette/protocol/labels-api";
import type { MeanState } from "./statistics/mean-sequence.ts";
import type { RiskState } from "./statistics/risk-sequence.ts";

export type SliceBy =
  | { readonly kind: "all" | "device" | "source" }
  /** A device's value of a label; those that are not named have none. */
  | { readonly kind: "label"; readonly values: readonly (readonly [agent: string, value: string])[] }
  /** A column of the lake. */
  | { readonly kind: "field"; readonly column: string };

export interface PerformanceRequest {
  readonly model: string;
  readonly version?: number | undefined;
  /** ISO date-times. From `since` on, before `until`. */
  readonly since?: string | undefined;
  readonly until?: string | undefined;
  /** Of these devices only. */
  readonly agents?: readonly string[] | undefined;
  readonly by: SliceBy;
  /** Days of one period; undefined: all is one. */
  readonly everyDays?: number | undefined;
  readonly error: (typeof lossMeasures)[number];
  /** An error of this and more counts as this; undefined: not known, and needed where there is a regression. */
  readonly scale?: number | undefined;
}

export interface PerformanceGroup {
  readonly version: number | null;
  readonly digest: string | null;
  readonly slice: string | null;
  /** UTC day, counted from 1970; null: all of them. */
  readonly day: number | null;
  readonly classes: boolean;
  readonly predictions: number;
  readonly labelled: number;
  readonly unreadable: number;
  /** Losses from 0 to 1. */
  readonly risk: RiskState;
}

export interface MetricGroup {
  readonly model: string;
  readonly name: string;
  readonly version: number | null;
  readonly mean: MeanState;
  /** UTC ms. */
  readonly first: number;
  readonly last: number;
}

/** What a second version said where it did not agree with the one that answered. */
export interface PairsRequest {
  readonly model: string;
  /** UTC ms: of answers of before it nothing is told, whatever spans and disagreements say. */
  readonly since: number;
  /** Spans of time, UTC ms, ends included, in which a device's answers by a version were asked of both. */
  readonly spans: readonly (readonly [agent: string, digest: string, from: number, to: number])[];
  /** By prediction id. */
  readonly disagreements: readonly (readonly [id: string, says: string | number])[];
}
/** Of the labelled answers of one version on one device, in the spans that were asked for. */
export interface PairedTruth {
  /** Of the version that answered. */
  readonly digest: string;
  readonly agent: string;
  readonly labelled: number;
  /** When the last of them was answered, by the device's time. UTC ms. */
  readonly until: number;
  /** Labelled disagreements in which only the one that answered was right, and only the other. */
  readonly onlyAnsweringRight: number;
  readonly onlyBesideRight: number;
}

/** Of an experiment: which units took part, and what was measured of them. */
export interface UnitsRequest {
  readonly model: string;
  /** Of the business metric. */
  readonly name: string;
  /** Of the candidate. */
  readonly version: number;
  readonly split: "devices" | "entities";
  /** UTC ms: not before. */
  readonly since: number;
  /** UTC ms: what was answered before is settled, whatever has not come of that time. */
  readonly settledBefore: number;
  /** Devices that take part, from when on (UTC ms), and which are in the candidate's arm. */
  readonly devices: readonly { readonly agent: string; readonly from: number; readonly candidate: boolean }[];
  /** Draws the lots of entities. */
  readonly salt: string;
  readonly share: number;
}
/** Of one arm. */
export interface ArmSums {
  /**
   * Units that were answered since the split began for them; and of these, those that the other version answered, too (of
   * devices that fetch the candidate: that it never answered).
   */
  readonly units: number;
  readonly crossed: number;
  /**
   * Of the units, and of those with values, how many began before a moment up to which both arms' logs are here: where one arm's
   * rows come later, these are still as the lots divided them.
   */
  readonly settled: { readonly units: number; readonly measured: number };
  /** Of the means of those that have values. */
  readonly means: MeanState;
  /** Of all single values. */
  readonly values: MeanState;
}
export interface ArmsMeasured {
  readonly candidate: ArmSums;
  readonly incumbent: ArmSums;
}
