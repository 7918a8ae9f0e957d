/** What is logged: the answers of one tick with what was asked, and of the version what decides their columns. Pure. */
import type { Manifest } from "@vedette/protocol/bundle";
import { sha256Hex } from "@vedette/protocol/ids";
import { logPolicy, ruleOfField } from "@vedette/protocol/log-policy";
import { isWide, type Rows } from "@vedette/protocol/tensors";
import { z } from "zod";
import type { Answer } from "../agent.ts";

export const loggedVersion = z.object({
  digest: sha256Hex.nullable(),
  release: z.int().nullable(),
  classes: z.array(z.string()).nullable(),
  /** Whether rows carry `out:value` (regression). */
  value: z.boolean(),
  /** Fields whose inputs are in the segment: those that are logged, or that receipts cover. */
  fields: z.array(z.string()),
  /** The other fields. */
  absent: z.array(z.string()).optional(),
  /** What of them leaves the device; all of it where there is none. */
  policy: logPolicy.optional(),
  /** Inputs are 64-bit. */
  wide: z.boolean(),
  /** Those of the fields whose inputs are texts. */
  texts: z.array(z.string()).default([]),
});
/** What decides the columns of the rows that follow. One batch never mixes two. */
export type LoggedVersion = z.infer<typeof loggedVersion>;

/** @param manifest null where no version was ever known: rows then carry neither inputs nor outputs. */
export function describeVersion(
  version: { readonly digest: string; readonly release: number } | null,
  manifest: Manifest | null,
): LoggedVersion {
  const policy = manifest?.log;
  const all = manifest?.input.fields.map((field) => field.name) ?? [];
  // All or none, so that inputs are copied as they came; what may not leave the device is left out of its batches.
  const kept =
    policy !== undefined && (policy.receipts || all.some((name) => ruleOfField(policy, name).mode !== "none"));
  return {
    digest: version?.digest ?? null,
    release: version?.release ?? null,
    classes: manifest?.output.task === "classification" ? manifest.output.classes : null,
    value: manifest?.output.task === "regression",
    fields: kept ? all : [],
    absent: kept ? [] : all,
    policy,
    wide: manifest ? isWide(manifest.input.tensors) : false,
    texts: kept ? (manifest?.input.fields ?? []).filter(({ kind }) => kind === "category").map(({ name }) => name) : [],
  };
}

/** An answer without its id, which follows from where it stands. */
export type LoggedAnswer = Omit<Answer, "id" | "outputs">;

/** The answers to one request. */
export interface LoggedGroup {
  readonly answers: readonly LoggedAnswer[];
  /** [answers][fields], as the request had them. */
  readonly rows: Rows;
  /** [answers][texts], as the request had them. */
  readonly texts?: readonly (string | null)[] | undefined;
  /** ms from request to answer. */
  readonly latency: number;
  readonly entity?: string | undefined;
  /** UTC ms. */
  readonly eventTime?: number | undefined;
  readonly requestId?: string | undefined;
}
/** What one tick answered. */
export interface LoggedRows {
  /** Number of the first answer, from `reserve`; the others follow. */
  readonly firstN: number;
  readonly version: LoggedVersion;
  /** Device UTC ms. */
  readonly time: number;
  readonly groups: readonly LoggedGroup[];
}

/** Rows in all groups. */
export function countRows(groups: readonly LoggedGroup[]): number {
  let count = 0;
  for (const group of groups) count += group.answers.length;
  return count;
}
