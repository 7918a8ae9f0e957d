/** What an error is over HTTP: its status, and `{error: {code, message}}`. */
import { codeOf, type ErrorCode, messageOf, VedetteError } from "@vedette/protocol/errors";
import type { Context } from "hono";
import { HTTPException } from "hono/http-exception";
import type { ContentfulStatusCode } from "hono/utils/http-status";
import type { ZodError } from "zod";
import type { Logger } from "../ports.ts";
import { storageFault } from "../storage-fault.ts";

const statuses: Partial<Record<ErrorCode, ContentfulStatusCode>> = {
  unauthenticated: 401,
  invalid_token: 403,
  forbidden: 403,
  wrong_device: 403,
  not_found: 404,
  conflict: 409,
  replayed: 409,
  trust_not_initialised: 409,
  too_large: 413,
  unsupported: 422,
  unsigned: 422,
  bad_signature: 422,
  expired: 422,
  rollback: 422,
  revoked: 422,
  digest_mismatch: 422,
  length_mismatch: 422,
  unknown_target: 422,
  rate_limited: 429,
  offline: 503,
  not_ready: 503,
  busy: 503,
  backend_unavailable: 503,
  timeout: 504,
};

/** The status of a code: 400 for other faults of the caller, 500 for other faults of ours. */
function statusOf(code: ErrorCode): ContentfulStatusCode {
  return statuses[code] ?? (new VedetteError(code, "").user ? 400 : 500);
}

/** The fault that a request which does not fit its schema is. */
export function misfit(error: ZodError, where: string): VedetteError {
  const issues = error.issues.slice(0, 5).map((issue) => `${issue.path.join(".") || "(whole)"}: ${issue.message}`);
  return new VedetteError("invalid_argument", `${where} does not fit: ${issues.join("; ")}`, { cause: error });
}

/** Answers anything thrown. What is not a VedetteError is logged whole and told to nobody. */
export function answerError(error: unknown, c: Context, logger: Logger): Response {
  const fault = error instanceof HTTPException ? fromHttp(error) : storageFault(error);
  const code = codeOf(fault);
  const known = fault instanceof VedetteError;
  if (!known || !(fault.user || statusOf(code) < 500)) {
    const stack = error instanceof Error ? error.stack : undefined;
    logger.error("http.failed", { method: c.req.method, path: c.req.path, code, why: messageOf(error), stack });
  }
  const message = known ? fault.message : "something went wrong in the control plane: its log says what";
  if (code === "unauthenticated") c.header("WWW-Authenticate", "Bearer");
  if (code === "rate_limited") c.header("Retry-After", "5");
  return c.json({ error: { code, message } }, statusOf(code));
}

/** The framework's own refusals, such as JSON that does not parse. */
function fromHttp(error: HTTPException): VedetteError {
  const code = error.status === 413 ? "too_large" : error.status >= 500 ? "internal" : "invalid_argument";
  return new VedetteError(code, error.message || `the request was refused with ${error.status}`, { cause: error });
}
