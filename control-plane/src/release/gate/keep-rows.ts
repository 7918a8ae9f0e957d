/** Takes the labelled rows that a version is to be judged by, before it is published; check-accuracy.ts judges by them. */
import { fromUtf8 } from "@vedette/protocol/bytes";
import { VedetteError } from "@vedette/protocol/errors";
import { evaluationRows } from "@vedette/protocol/gate-api";
import type { GateRepository } from "../../db/gates.ts";
import { sha256 as sha256Of } from "../../sha256.ts";

/**
 * @param sha256 under which they are kept, once.
 * @throws VedetteError digest_mismatch, invalid_argument where they are not what they are sent as.
 */
export async function keepRows(
  gates: Pick<GateRepository, "putRows">,
  sha256: string,
  bytes: Uint8Array<ArrayBuffer>,
): Promise<void> {
  const actual = sha256Of(bytes);
  if (actual !== sha256) {
    throw new VedetteError("digest_mismatch", `the rows sent as ${sha256} have sha256 ${actual}: send them again`);
  }
  const text = fromUtf8(bytes);
  if (!evaluationRows.safeParse(parseJson(text)).success) {
    throw new VedetteError("invalid_argument", `the rows ${sha256} are none: see vedette model publish --evaluation`);
  }
  await gates.putRows(sha256, text);
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    // Not JSON: the schema refuses that, too.
    return undefined;
  }
}
