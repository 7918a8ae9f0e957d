/** The page's few HTTP questions to the control plane: enrolment and device tokens. */
import { apiError } from "@vedette/protocol/api";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import type { z } from "zod";

const timeoutMs = 15_000;

/** Posts JSON and parses the answer by its schema. */
export type PostJson = <T extends z.ZodType>(url: URL, body: unknown, schema: T) => Promise<z.infer<T>>;

/** @throws VedetteError offline, timeout, invalid_message; or the control plane's own code and message where it refuses. */
export const postJson: PostJson = async (url, body, schema) => {
  let response: Response;
  let json: unknown;
  try {
    response = await fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json" },
      body: JSON.stringify(body),
      signal: AbortSignal.timeout(timeoutMs),
    });
    json = await response.json();
  } catch (cause) {
    const late = cause instanceof DOMException && cause.name === "TimeoutError";
    const why = late ? `no answer in ${timeoutMs / 1000} s` : messageOf(cause);
    throw new VedetteError(late ? "timeout" : "offline", `${url.href} cannot be asked (${why}): is it up?`, { cause });
  }
  if (!response.ok) {
    const refusal = apiError.safeParse(json);
    if (refusal.success) throw new VedetteError(refusal.data.error.code, refusal.data.error.message);
    throw new VedetteError(
      "invalid_message",
      `${url.href} answered ${response.status}, and not as a control plane does`,
    );
  }
  const parsed = schema.safeParse(json);
  if (parsed.success) return parsed.data;
  throw new VedetteError("invalid_message", `${url.href} answered what is no such answer: update this page`, {
    cause: parsed.error,
  });
};
