/** An answer of any length as messages that fit the packet limit. */
import { codeOf, messageOf, VedetteError } from "@vedette/protocol/errors";
import { maxPayloadBytes, type Response, responsePartChars } from "@vedette/protocol/messages";

/** Most parts of one answer, as the message's schema has it. */
const maxParts = 64;

/** The payloads of an answer, in order. @throws VedetteError too_large where the text is longer than all parts hold. */
export function responseParts(id: string, text: string): string[] {
  // Text that must be escaped grows up to sixfold as JSON: then the parts are cut smaller.
  for (let chars = responsePartChars; ; chars = Math.floor(chars / 2)) {
    const of = Math.max(1, Math.ceil(text.length / chars));
    if (of > maxParts) throw new VedetteError("too_large", `an answer of ${text.length} characters does not fit`);
    const parts = Array.from({ length: of }, (_, i) =>
      JSON.stringify({ id, i, of, text: text.slice(i * chars, (i + 1) * chars) } satisfies Response),
    );
    if (parts.every((part) => Buffer.byteLength(part) <= maxPayloadBytes)) return parts;
  }
}

/** The payload that says why there is no answer. What is not meant for devices stays here. */
export function responseError(id: string, error: unknown): string {
  const code = codeOf(error);
  const message = error instanceof VedetteError ? messageOf(error) : "the control plane failed: see its log";
  return JSON.stringify({ id, error: { code, message } } satisfies Response);
}
