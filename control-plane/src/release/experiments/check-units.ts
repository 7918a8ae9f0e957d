/** Whether an experiment's units could be told apart and compared, said before it begins. */
import { type Manifest, parseManifest } from "@vedette/protocol/bundle";
import { VedetteError } from "@vedette/protocol/errors";
import { whyNotSplit } from "@vedette/protocol/split";
import type { Rollout } from "../../db/rollout-records.ts";
import { inScope, leftOut } from "../rollouts/cohort.ts";
import type { DeviceFacts } from "../rollouts/world.ts";
import { candidateKind } from "./join-arms.ts";

/**
 * @param manifestOf text of a published manifest by its digest.
 * @throws VedetteError unsupported (one device cannot be divided; versions that one device cannot split, or that do not log
 *   whom they answer), invalid_argument (it would be over at once).
 */
export async function checkUnits(
  draft: Rollout,
  devices: readonly DeviceFacts[],
  now: number,
  manifestOf: (digest: string) => Promise<string | undefined>,
): Promise<void> {
  const { experiment, model } = draft;
  if (!experiment) return;
  if (experiment.until !== null && Date.parse(experiment.until) <= now) {
    throw new VedetteError("invalid_argument", `the experiment would be over at once: until is ${experiment.until}`);
  }
  const eligible = inScope(draft, devices).filter((device) => leftOut(draft, device, candidateKind(draft)) === null);
  if (experiment.split === "devices") {
    if (eligible.length >= 2) return;
    throw new VedetteError(
      "unsupported",
      `${eligible.length} device cannot be divided into two arms: split by entities, whose requests one device can divide`,
    );
  }
  const read = async (digest: string): Promise<Manifest> => {
    const text = await manifestOf(digest);
    if (text !== undefined) return parseManifest(text);
    throw new VedetteError("not_found", `the manifest ${digest} of ${model} is not here: publish it again`);
  };
  const candidate = await read(draft.digest);
  const incumbents = await Promise.all([...new Set(eligible.flatMap(({ incumbent }) => incumbent ?? []))].map(read));
  for (const incumbent of incumbents) {
    const why = whyNotSplit(incumbent, candidate);
    if (why === null) continue;
    throw new VedetteError(
      "unsupported",
      `requests for ${model} cannot be split between version ${draft.version} and the one that answers: ${why}. Split by devices`,
    );
  }
  if ([candidate, ...incumbents].some(({ log }) => (log.entity?.mode ?? "full") !== "full")) {
    throw new VedetteError(
      "unsupported",
      `the log policy of ${model} withholds or hashes entities, so that nobody could tell who was answered by what: split by devices`,
    );
  }
}
