/** What is told of one model: to the control plane in the device's report, and to who reads its measures. Pure. */
import type { ReportedSlot } from "@vedette/protocol/messages";
import type { ModelMeasures } from "./agent.ts";
import type { ModelLogs } from "./log/model-logs.ts";
import type { ModelKeeper } from "./model-keeper.ts";
import type { Pin } from "./store/life-cycle.ts";
import type { DriftWatch } from "./watch/drift-watch.ts";

/** The model's part of the device's report. */
export function reportOf(keeper: ModelKeeper): ReportedSlot {
  const { pins, slot } = keeper;
  const short = (pin: Pin | null) => pin && { digest: pin.digest, release: pin.release };
  const { candidate } = pins;
  const reason = candidate?.reason ?? keeper.trouble?.code;
  const why = candidate?.why ?? keeper.trouble?.why;
  return {
    model: keeper.model,
    ...(slot.stale ? { stale: true } : {}),
    serving: short(pins.serving),
    previous: short(pins.previous),
    candidate: candidate && {
      digest: candidate.digest,
      release: candidate.release,
      state: candidate.state,
      ...(reason ? { reason } : {}),
      ...(why ? { why: why.slice(0, 1000) } : {}),
      ...keeper.probation,
    },
    ...keeper.beside.report(),
    served: keeper.served(),
    ...reportOfDrift(slot.version?.drift ?? null),
    sources: { ...slot.counters.sources },
    reasons: { ...slot.counters.reasons },
  };
}

function reportOfDrift(watch: DriftWatch | null): Pick<ReportedSlot, "drift" | "driftVerdict"> {
  if (!watch) return { drift: [] };
  const { verdict, top, windows, untrusted } = watch;
  const drift = watch.report().map((feature) => ({
    name: feature.name,
    n: feature.n,
    missing: feature.missing,
    psi: feature.psi,
    // Infinite before the first value, which JSON cannot say.
    psiCritical: Number.isFinite(feature.psiCritical) ? feature.psiCritical : null,
    ksLow: feature.ksLow,
    ksHigh: feature.ksHigh,
    pValue: feature.pValue,
    logE: Number.isFinite(feature.logE) ? feature.logE : null,
    verdict: feature.verdict,
  }));
  return { drift, driftVerdict: { verdict, top, windows, untrusted } };
}

/** The model's measures, as metrics and statistics show them. */
export function measuresOf({ model, slot, beside }: ModelKeeper, { all: logs }: Pick<ModelLogs, "all">): ModelMeasures {
  return {
    name: model,
    release: slot.version?.release ?? null,
    digest: slot.version?.digest ?? null,
    counters: slot.counters,
    spoolBatches: logs.reduce((sum, { log }) => sum + log.pending, 0),
    spoolRows: logs
      .flatMap(({ log }) => [...log.batches.waiting])
      .reduce((sum, { firstN, nextN, rows }) => sum + (rows ? nextN - firstN : 0), 0),
    ...beside.report(),
    drift: (slot.version?.drift?.report() ?? []).map(({ name, verdict }) => ({ field: name, verdict })),
  };
}
