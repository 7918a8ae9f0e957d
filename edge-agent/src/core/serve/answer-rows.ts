/**
 * Gives every row of some requests its answer: the model's where it stands, else what the ladder says. model-slot logs what
 * comes of it, and hands it over.
 */
import type { Manifest } from "@vedette/protocol/bundle";
import type { FallbackReason } from "@vedette/protocol/ids";
import type { Answer } from "../agent.ts";
import type { LoggedGroup } from "../log/logged-rows.ts";
import type { ModelAnswer } from "./decode-outputs.ts";
import { type AnswerCache, fallBack, reasonOf } from "./ladder.ts";
import type { Job } from "./run-queue.ts";

/** A request's answers with what was asked, as the log takes them. */
interface AnsweredGroup extends LoggedGroup {
  readonly answers: readonly Answer[];
}
export interface AnsweredRows {
  /** One a job. */
  readonly groups: readonly AnsweredGroup[];
  /** Rows whose outputs were no finite numbers. */
  readonly nan: number;
  /** Rows that the model answered with too little confidence. */
  readonly unsure: number;
}

/** Whose answers they are. */
export interface Answering {
  /** Whose ladder answers; null where no version was ever known. */
  readonly manifest: Manifest | null;
  /** Drift is critical, and the policy says that the ladder answers then. */
  readonly untrusted: boolean;
  readonly cache: AnswerCache;
  /** Of the n-th row of all jobs. */
  id(n: number): string;
  /** Monotonic ms. */
  readonly now: number;
}

/** @param result the model's answers by row over all jobs, null where its outputs were no numbers; or why there are none. */
export function answerRows(
  jobs: readonly (Pick<Job, "request" | "n" | "refused" | "started"> & { readonly cached: boolean })[],
  result: readonly (ModelAnswer | null)[] | FallbackReason,
  { manifest, untrusted, cache, id: idOf, now }: Answering,
): AnsweredRows {
  const served = typeof result === "string" ? null : result;
  const otherwise = typeof result === "string" ? result : "exception";
  const groups: AnsweredGroup[] = [];
  let at = 0;
  let nan = 0;
  let unsure = 0;
  for (const { request, n, refused, started, cached } of jobs) {
    const answers: Answer[] = [];
    for (let row = 0; row < n; row++, at++) {
      const id = idOf(at);
      const given = served?.[at] ?? null;
      if (served && !given) nan++;
      const reason = reasonOf(manifest, refused?.[row] ?? false, given, otherwise, untrusted);
      if (reason === "low_confidence") unsure++;
      if (reason === null && given) {
        // Field by field: spreading an object costs more than making one.
        const { label, value, confidence, scores, outputs } = given;
        answers.push({ id, source: "model", reason, cached, label, value, confidence, scores, outputs });
      } else answers.push({ id, reason, cached: false, ...fallBack(manifest, cache, request, row, now) });
    }
    const { rows, texts, entity, eventTime, requestId } = request;
    groups.push({ answers, rows, texts, latency: now - started, entity, eventTime, requestId });
  }
  return { groups, nan, unsure };
}
