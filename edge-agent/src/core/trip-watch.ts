/**
 * Watches what the version in place answers, and says when it is to go: at once on probation, after it once the version
 * itself has confirmed the doubt. `model-keeper.ts` owns it and does what it says; the rules are `serve/trips.ts`.
 */
import { codeOf, messageOf } from "@vedette/protocol/errors";
import type { Ports } from "./ports.ts";
import type { ModelSlot } from "./serve/model-slot.ts";
import { quietRunMs } from "./serve/quiet-run.ts";
import type { ServingVersion } from "./serve/serving-version.ts";
import {
  type Doubt,
  type Evidence,
  gather,
  judgeProbation,
  judgeService,
  noEvidence,
  type TripPolicy,
  tripPolicy,
} from "./serve/trips.ts";
import type { RejectReason } from "./store/reject-reason.ts";

/** Fewer answers of the version before say nothing about its share of unsure ones. */
const leastBefore = 20;

export interface TripWatch {
  /** Another version is in place: what was known is forgotten. */
  began(): void;
  readonly passed: number;
}

/** @param options.standing what the version in place is now; null where it is not to be judged. */
export function createTripWatch(options: {
  model: string;
  ports: Pick<Ports, "clock" | "log">;
  slot: Pick<ModelSlot, "version" | "counters" | "onPredictions">;
  probation: number;
  standing(): "probation" | "serving" | null;
  /** Whether there is a version to return to from the serving one. */
  canReturn(): boolean;
  /** Runs the golden vectors again. @throws VedetteError proof_failed, model_failed. */
  selfTest(version: ServingVersion): Promise<void>;
  trip(reason: RejectReason, why: string): void;
  passed(): void;
  /** It answered, and is not through its probation yet. */
  answered(): void;
}): TripWatch {
  const { model, slot } = options;
  const { clock, log } = options.ports;
  const policy: TripPolicy = { ...tripPolicy, probation: options.probation };
  let evidence: Evidence = noEvidence;
  let before: number | null = null;
  /** Digest of the version that is being asked. */
  let asking = "";

  const ask = async (version: ServingVersion, doubt: Doubt) => {
    asking = version.digest;
    try {
      const why = await confirm(version, doubt);
      if (slot.version?.digest !== version.digest || options.standing() === null) return;
      if (why !== null) return options.trip(doubt, why);
      log.warn("model.doubted_but_sound", { model, digest: version.digest, doubt, late: evidence.late });
      evidence = { ...evidence, late: 0, row: null };
    } finally {
      asking = "";
    }
  };
  /** Why the doubt is right; null where the version is sound. */
  const confirm = async (version: ServingVersion, doubt: Doubt): Promise<string | null> => {
    if (doubt === "latency_budget") {
      const budgetMs = version.manifest.limits.latencyMs;
      const ranMs = await quietRunMs(version, clock);
      return ranMs > budgetMs ? `one row takes ${ranMs.toFixed(1)} ms, over the budget of ${budgetMs} ms` : null;
    }
    try {
      await options.selfTest(version);
      return null;
    } catch (error) {
      return messageOf(error);
    }
  };

  slot.onPredictions((outcome) => {
    const standing = options.standing();
    const { version } = slot;
    if (!standing || !version) return;
    evidence = gather(evidence, outcome);
    const verdict =
      standing === "probation" ? judgeProbation(evidence, policy, before) : judgeService(evidence, policy);
    if (verdict.kind === "trip") {
      return options.trip(verdict.reason, `seen on probation: ${outcome.why ?? verdict.reason}`);
    }
    if (verdict.kind === "doubt" && asking === "" && (standing === "probation" || options.canReturn())) {
      ask(version, verdict.of).catch((error: unknown) =>
        log.error("model.not_asked", { model, code: codeOf(error), why: messageOf(error) }),
      );
      return;
    }
    if (verdict.kind === "passed") return options.passed();
    options.answered();
  });

  return {
    began() {
      const { sources, reasons } = slot.counters;
      const all = sources.model + reasons.low_confidence;
      before = all >= leastBefore ? reasons.low_confidence / all : null;
      evidence = noEvidence;
    },
    get passed() {
      return evidence.passed;
    },
  };
}
