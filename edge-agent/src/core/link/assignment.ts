/** Whether a signed assignment may be followed: by this site's director, for this device, in answer to this question. */
import { VedetteError } from "@vedette/protocol/errors";
import { type Assignment, assignment, parseMessage } from "@vedette/protocol/messages";
import { openSigned, type SignedText } from "@vedette/protocol/signed";
import type { TargetsExtension } from "@vedette/protocol/trust";
import type { Crypto } from "../ports.ts";

/**
 * @param expected rev is the highest revision followed so far.
 * @throws VedetteError unsigned, bad_signature, invalid_message, wrong_device, replayed, rollback.
 */
export async function openAssignment(
  envelope: SignedText,
  director: TargetsExtension["director"],
  expected: { site: string; agent: string; nonce: string; rev: number },
  crypto: Crypto,
): Promise<Assignment> {
  const payload = await openSigned("assignment", envelope, director, crypto.verify);
  const said = parseMessage(assignment, payload, "the assignment");
  if (said.site !== expected.site || said.agent !== expected.agent) {
    const whose = `${said.agent} of site ${said.site}`;
    throw new VedetteError(
      "wrong_device",
      `the assignment is for ${whose}, and this is ${expected.agent} of ${expected.site}`,
    );
  }
  if (said.nonce !== expected.nonce) {
    throw new VedetteError(
      "replayed",
      "the assignment answers another hello than this one: someone sent an old one again",
    );
  }
  if (said.rev < expected.rev) {
    const what = `the assignment has revision ${said.rev} where ${expected.rev} was followed before`;
    throw new VedetteError(
      "rollback",
      `${what}: the control plane was restored from a backup, or someone plays old ones`,
    );
  }
  const models = new Set(said.slots.map((slot) => slot.model));
  if (models.size !== said.slots.length) {
    throw new VedetteError("invalid_message", "the assignment names a model twice: it is not followed");
  }
  return said;
}
