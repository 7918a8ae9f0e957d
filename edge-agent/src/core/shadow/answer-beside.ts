/**
 * Lets a second version answer some of the entities, beside the one in place: joins it to the slot, and watches it as a version
 * on probation is watched, and after that as a serving one. What trips leaves its entities to the version in place.
 * `beside-keeper.ts` owns it.
 */
import { VedetteError } from "@vedette/protocol/errors";
import { type Split, takesCandidate, whyNotSplit } from "@vedette/protocol/split";
import type { Ports } from "../ports.ts";
import type { ModelSlot } from "../serve/model-slot.ts";
import type { Outcome } from "../serve/outcome.ts";
import type { SlotLog } from "../serve/place.ts";
import type { ServingVersion } from "../serve/serving-version.ts";
import type { RejectReason } from "../store/reject-reason.ts";
import { createTripWatch } from "../trip-watch.ts";

export interface BesideAnswerer {
  /** Rows that it answered. */
  readonly served: number;
  /** Leaves all to the version in place. Resolves when its runs are done. */
  close(): Promise<void>;
}

/**
 * @param options.answering the version in place.
 * @param options.tripped is called once, where it must not answer any more.
 * @throws VedetteError unsupported where the two do not take and give the same.
 */
export async function createBesideAnswerer(options: {
  model: string;
  slot: Pick<ModelSlot, "split">;
  answering: Pick<ServingVersion, "manifest">;
  version: ServingVersion;
  log: SlotLog;
  split: Split;
  /** Of the slot: how unsure the version in place was. */
  counters: ModelSlot["counters"];
  /** Predictions without a trip until it is trusted as a serving version is. */
  probation: number;
  ports: Pick<Ports, "clock" | "log">;
  selfTest(version: ServingVersion): Promise<void>;
  changed(): void;
  tripped(reason: RejectReason, why: string): void;
}): Promise<BesideAnswerer> {
  const { model, slot, version, split } = options;
  const why = whyNotSplit(options.answering.manifest, version.manifest);
  if (why !== null) {
    throw new VedetteError("unsupported", `requests for ${model} cannot be split between two versions: ${why}`);
  }
  const calls: ((outcome: Outcome) => void)[] = [];
  let served = 0;
  let closed = false;
  let onTrial = true;
  createTripWatch({
    model,
    ports: options.ports,
    slot: { version, counters: options.counters, onPredictions: (call) => void calls.push(call) },
    probation: options.probation,
    standing: () => (closed ? null : onTrial ? "probation" : "serving"),
    // To the version in place, at any time.
    canReturn: () => true,
    selfTest: options.selfTest,
    trip(reason, words) {
      if (closed) return;
      closed = true;
      options.tripped(reason, words);
    },
    passed() {
      onTrial = false;
      options.changed();
    },
    answered() {
      if (onTrial) options.changed();
    },
  }).began();
  await slot.split({
    version,
    log: options.log,
    takes: (entity) => !closed && takesCandidate(split, entity),
    ran(outcome) {
      for (const call of calls) call(outcome);
    },
    served(rows) {
      served += rows;
    },
  });
  return {
    get served() {
      return served;
    },
    async close() {
      closed = true;
      await slot.split(null);
    },
  };
}
