/** By what the gate knows its own word again: its key signs reports and overrides, each of one version of this site. */
import { VedetteError } from "@vedette/protocol/errors";
import { encodeGate, type GateOverride, type GateReport } from "@vedette/protocol/gate-api";
import { openSigned, type SignedText, signedBytes, signedText } from "@vedette/protocol/signed";
import type { z } from "zod";
import type { VersionRecord } from "../../db/records.ts";
import { verifyEd25519 } from "../../verify-ed25519.ts";
import type { OnlineKeys, SigningKey } from "../online-keys.ts";
import type { Unproven } from "./state-of.ts";

export interface Seal {
  /** @param key another than the present one, while a rotation is under way. */
  sign(type: SealedType, document: GateReport | GateOverride, key?: SigningKey): SignedText;
  /** What was kept, or why it proves nothing of this very version. */
  open<T extends z.ZodType<GateReport | GateOverride>>(
    type: SealedType,
    schema: T,
    signed: SignedText | undefined,
    of: Pick<VersionRecord, "model" | "version" | "digest">,
  ): Promise<z.infer<T> | Unproven>;
}
type SealedType = "gate-report" | "gate-override";

export function createSeal({ site, keys }: { site: string; keys: Pick<OnlineKeys, "gate" | "next"> }): Seal {
  return {
    sign(type, document, key = keys.gate) {
      const payload = encodeGate(document);
      return { payload, signatures: [{ keyid: key.keyid, sig: key.sign(signedBytes(type, payload)) }] };
    },
    async open(type, schema, signed, { model, version, digest }) {
      if (signed === undefined) return "none";
      const shaped = signedText.safeParse(signed);
      if (!shaped.success) return "forged";
      // While a rotation is under way some are signed by the next key.
      const known = [keys.gate, keys.next.gate].flatMap((key) => (key ? [[key.keyid, key.publicKeyHex]] : []));
      const trusted = { keys: Object.fromEntries(known) as Record<string, string>, threshold: 1 };
      try {
        const payload = await openSigned(type, shaped.data, trusted, async (...given) => verifyEd25519(...given));
        const { success, data } = schema.safeParse(jsonOf(payload));
        if (!success) return "unreadable";
        const same = data.site === site && data.model === model && data.version === version;
        return same && data.digest === digest ? data : "forged";
      } catch (error) {
        if (error instanceof VedetteError) return "forged";
        throw error;
      }
    },
  };
}

/** Undefined, which no document is, where a text is no JSON: another Vedette may write what it signs in another way. */
function jsonOf(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
}
