/**
 * One JSON request to the control plane's HTTP API, from Node or a page: enrolment, device tokens, certificates. Its errors
 * become VedetteErrors again on this side.
 */
import { apiError } from "@vedette/protocol/api";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { z } from "zod";

const timeoutMs = 20_000;
/** When the control plane refused, by its own clock: UTC ms by the error it answered with. */
const refusalDates = new WeakMap<VedetteError, number>();

/** The control plane's clock (UTC ms) when it refused a request with this error; undefined where it did not answer. */
export function httpDate(error: unknown): number | undefined {
  return error instanceof VedetteError ? refusalDates.get(error) : undefined;
}

/** Posts JSON and parses the answer by its schema. */
export type PostJson = <T extends z.ZodType>(url: URL, body: unknown, answer: T) => Promise<z.infer<T>>;

/**
 * @throws VedetteError the code and message that the control plane refuses with; offline or timeout where it is not
 * reached; invalid_message where something else answers at that address.
 */
export const postJson: PostJson = async (url, body, answer) => {
  const { status, date, text } = await send(url, JSON.stringify(body));
  const json = parseJson(text);
  const parsed = answer.safeParse(json);
  if (status < 300 && parsed.success) return parsed.data;
  const refused = apiError.safeParse(json);
  if (!refused.success) {
    throw new VedetteError("invalid_message", `${url} answered ${status} with something else: is it a control plane?`);
  }
  const { code, message } = refused.data.error;
  const error = new VedetteError(code, `${url.origin} refused: ${message}`);
  const at = Date.parse(date ?? "");
  if (!Number.isNaN(at)) refusalDates.set(error, at);
  throw error;
};

async function send(url: URL, body: string): Promise<{ status: number; date: string | null; text: string }> {
  try {
    const headers = { "content-type": "application/json" };
    const response = await fetch(url, { method: "POST", headers, body, signal: AbortSignal.timeout(timeoutMs) });
    return { status: response.status, date: response.headers.get("date"), text: await response.text() };
  } catch (cause) {
    const timedOut = cause instanceof Error && cause.name === "TimeoutError";
    const why = cause instanceof Error && cause.cause ? messageOf(cause.cause) : messageOf(cause);
    throw new VedetteError(
      timedOut ? "timeout" : "offline",
      `${url.origin} was not reached (${why}): check the address and the network`,
      { cause },
    );
  }
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined; // the caller says what answered instead of a control plane
  }
}
