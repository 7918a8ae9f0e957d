/** What an error of fetching, proving or loading says about the version: `model-keeper.ts` and the beside keeper go by it. */
import type { ErrorCode } from "@vedette/protocol/errors";

/** Errors that another try of the same bytes would meet again. All others are met with another try. */
export const unfit: readonly ErrorCode[] = [
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
/** Damage on the disk: the version itself may be sound, and is fetched again where it is still assigned. */
export const damaged: readonly ErrorCode[] = ["not_found", "digest_mismatch", "length_mismatch"];
