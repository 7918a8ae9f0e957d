/**
 * What an error of fetching, proving or loading says of a version. `model-keeper.ts` and `shadow/beside-keeper.ts` go by it, and
 * apply what it answers to their pins.
 */
import { codeOf, type ErrorCode, messageOf } from "@vedette/protocol/errors";

/** Errors that another try of the same bytes would meet again. All others are met with another try. */
const unfit: readonly ErrorCode[] = [
  "digest_mismatch",
  "length_mismatch",
  "unknown_target",
  "revoked",
  "invalid_manifest",
  "invalid_model",
  "invalid_rules",
  "unsupported",
  "too_large",
  "proof_failed",
  "model_failed",
];
/** Damage on the disk: the version itself may be sound. */
const damaged: readonly ErrorCode[] = ["not_found", "digest_mismatch", "length_mismatch"];

/** An event of both lives, `store/life-cycle.ts` and `shadow/beside-life.ts`. */
type Failure =
  /** It is to be fetched again, where it is still assigned. */
  | { readonly kind: "lost" }
  /** It is to be rejected. */
  | { readonly kind: "failed"; readonly reason: ErrorCode; readonly why: string };

/**
 * @param wasWhole all its files were here before this try, and did not come by this process: what is damaged was lost since, and
 *   fetching it again helps.
 * @throws the error itself, where another try of the same may go better.
 */
export function judgeFailure(error: unknown, wasWhole: boolean): Failure {
  const reason = codeOf(error);
  if (wasWhole && damaged.includes(reason)) return { kind: "lost" };
  if (unfit.includes(reason)) return { kind: "failed", reason, why: messageOf(error) };
  throw error;
}
