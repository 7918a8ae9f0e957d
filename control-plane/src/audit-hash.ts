/** The hash of an audit entry: the database writes it, `vedette audit verify` computes it again. */
import { createHash } from "node:crypto";
import { auditText } from "@vedette/protocol/audit";

/** @param previous the hash before it, hex. @returns sha256, hex. */
export function auditHash(previous: string, entry: Parameters<typeof auditText>[1]): string {
  // A detail reads back as JSON has it: without what is undefined.
  const detail: object = JSON.parse(JSON.stringify(entry.detail));
  return createHash("sha256")
    .update(auditText(previous, { ...entry, detail }))
    .digest("hex");
}
