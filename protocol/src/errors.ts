/**
 * One error class for the whole project. `code` says what kind of wrong it is, for programs; the message says what is
 * wrong, where, and what to do, for people. User faults (`user: true`) are the caller's to mend; all others are ours.
 */
const userFaults = [
  "invalid_argument",
  "invalid_input",
  "invalid_csv",
  "invalid_model",
  "invalid_rules",
  "invalid_manifest",
  "invalid_metadata",
  "invalid_batch",
  "invalid_message",
  "invalid_token",
  "unauthenticated",
  "forbidden",
  "not_found",
  "conflict",
  "too_large",
  "rate_limited",
  "trust_not_initialised",
  "unsupported",
] as const;
const trustFaults = [
  "unsigned",
  "bad_signature",
  "expired",
  "rollback",
  "replayed",
  "revoked",
  "digest_mismatch",
  "length_mismatch",
  "unknown_target",
  "wrong_device",
] as const;
const systemFaults = [
  "timeout",
  "offline",
  "proof_failed",
  "not_ready",
  "storage_failed",
  "model_failed",
  "backend_unavailable",
  "busy",
  "data_budget",
  "lacks_memory",
  "internal",
] as const;

export const errorCodes = [...userFaults, ...trustFaults, ...systemFaults] as const;
export type ErrorCode = (typeof errorCodes)[number];

export class VedetteError extends Error {
  override readonly name = "VedetteError";
  readonly code: ErrorCode;
  constructor(code: ErrorCode, message: string, options?: { cause?: unknown }) {
    super(message, options);
    this.code = code;
  }
  /** Whether the caller, and not Vedette, has to mend it. */
  get user(): boolean {
    return (userFaults as readonly string[]).includes(this.code);
  }
}

/** How every command of the project ends. */
export const exitCodes = { ok: 0, userFault: 1, systemFault: 2 } as const;

/** The exit code of a command that ended with this. */
export function exitCodeOf(error: unknown): number {
  return error instanceof VedetteError && error.user ? exitCodes.userFault : exitCodes.systemFault;
}

/** The code of anything thrown; what is not ours is `internal`. */
export function codeOf(error: unknown): ErrorCode {
  return error instanceof VedetteError ? error.code : "internal";
}

/** The message of anything thrown. */
export function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
