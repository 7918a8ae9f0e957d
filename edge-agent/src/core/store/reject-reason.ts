/** Why a version was rejected: an error's code, or what happened in service. */
import { errorCodes } from "@vedette/protocol/errors";

export const rejectReasons = [
  ...errorCodes,
  "crash_loop",
  "exceptions",
  "not_a_number",
  "latency_budget",
  "fallback_rate",
] as const;
export type RejectReason = (typeof rejectReasons)[number];
