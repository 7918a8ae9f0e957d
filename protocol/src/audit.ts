/** What links audit entries: each one's hash covers itself and the hash before it, so that a list can be checked anywhere. */
import canonicalize from "canonicalize";
import { z } from "zod";

/** Why an operator does something, as the audit keeps it: blanks are no reason. */
export const reason = z.string().trim().min(1, "say why: blanks are no reason").max(500);

/** The hash before the first entry. */
export const firstAuditHash = "0".repeat(64);

/** The text whose sha256 is an entry's hash: RFC 8785 of what it says and of the hash before it. */
export function auditText(
  previous: string,
  entry: { at: number; actor: string; action: string; subject: string; detail: object },
): string {
  const { at, actor, action, subject, detail } = entry;
  return canonicalize([previous, at, actor, action, subject, detail]) ?? "";
}
