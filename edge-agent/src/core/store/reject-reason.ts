/** Why a version was rejected: an error's code, or what happened in service. */
import type { ErrorCode } from "@vedette/protocol/errors";

export type RejectReason =
  | ErrorCode
  | "crash_loop"
  | "exceptions"
  | "not_a_number"
  | "latency_budget"
  | "fallback_rate";
