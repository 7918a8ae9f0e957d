/** What tuf-js throws, in the words of the protocol. */

import { UnsignedMetadataError } from "@tufjs/models/dist/error.js";
import { messageOf, VedetteError } from "@vedette/protocol/errors";
import { BadVersionError, DownloadHTTPError, ExpiredMetadataError } from "tuf-js/dist/error.js";
import { z } from "zod";

const withoutSignatures = z.object({ signatures: z.array(z.unknown()).max(0) });

/**
 * @param text the metadata that was being looked at, to tell what was never signed from what was signed wrongly.
 */
export function trustFault(error: unknown, text: string | undefined): VedetteError {
  if (error instanceof VedetteError) return error;
  const why = messageOf(error);
  const say = (code: ConstructorParameters<typeof VedetteError>[0], message: string) =>
    new VedetteError(code, `${message} (${why})`, { cause: error });
  if (error instanceof ExpiredMetadataError) {
    return say(
      "expired",
      "trust metadata has expired: someone may be replaying it, or the control plane no longer signs",
    );
  }
  if (error instanceof BadVersionError)
    return say("rollback", "trust metadata is older than what this device has seen");
  if (error instanceof UnsignedMetadataError) {
    return isUnsigned(text)
      ? say("unsigned", "trust metadata carries no signature")
      : say("bad_signature", "trust metadata is not signed by enough keys of this site");
  }
  if (error instanceof DownloadHTTPError) {
    return say("invalid_metadata", "the control plane lacks metadata that its own metadata names: publish again");
  }
  return say("invalid_metadata", "trust metadata cannot be used");
}

function isUnsigned(text: string | undefined): boolean {
  try {
    return withoutSignatures.safeParse(JSON.parse(text ?? "")).success;
  } catch {
    return false; // no JSON: then signatures are not what is wrong with it
  }
}
