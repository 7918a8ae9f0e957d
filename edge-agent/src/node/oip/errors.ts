/** The Open Inference Protocol's errors: `{"error": text}` and a status. What went wrong inside is logged, not told. */
import { type ErrorCode, VedetteError } from "@vedette/protocol/errors";

/** An answer that is no prediction. */
export interface OipFailure {
  readonly status: number;
  readonly headers?: Readonly<Record<string, string>>;
  readonly body: { readonly error: string; readonly parameters?: Readonly<Record<string, string | number | boolean>> };
}

/** A refusal that only HTTP knows: its status is not its code's, or a header goes with it. */
export class HttpRefusal extends VedetteError {
  readonly status: number;
  readonly headers: Readonly<Record<string, string>>;
  constructor(status: number, code: ErrorCode, message: string, headers: Readonly<Record<string, string>> = {}) {
    super(code, message);
    this.status = status;
    this.headers = headers;
  }
}

/** 429: asking again is of use after so many seconds. */
export function refuseForNow(code: "busy" | "rate_limited", message: string, seconds: number): HttpRefusal {
  return new HttpRefusal(429, code, message, { "retry-after": String(Math.max(1, Math.ceil(seconds))) });
}

const statusByCode: Partial<Record<ErrorCode, number>> = {
  invalid_argument: 400,
  invalid_input: 400,
  unauthenticated: 401,
  forbidden: 403,
  not_found: 404,
  too_large: 413,
  rate_limited: 429,
  busy: 429,
  unsupported: 501,
  not_ready: 503,
  timeout: 503,
};

/** What a client is told of anything thrown. */
export function failureOf(error: unknown): OipFailure {
  if (!(error instanceof VedetteError)) return { status: 500, body: { error: "the agent failed: see its log" } };
  const body = { error: error.message };
  if (error instanceof HttpRefusal) return { status: error.status, headers: error.headers, body };
  const status = statusByCode[error.code] ?? 500;
  if (status === 429) return { status, headers: { "retry-after": "1" }, body };
  return status === 401 ? { status, headers: { "www-authenticate": "Bearer" }, body } : { status, body };
}
