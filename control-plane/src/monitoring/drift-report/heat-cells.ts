/** A line of the heat map from what the kernels say of some rows. Pure. */
import type { DriftReport } from "@vedette/wasm-kernels";

/** PSI by its critical value; null where there are too few values, or nothing can differ. */
export function heatCells({ features }: Pick<DriftReport, "features">): (number | null)[] {
  return features.map(({ psi, psiCritical, verdict }) =>
    verdict === "insufficient" || !(psiCritical > 0) || !Number.isFinite(psiCritical) ? null : psi / psiCritical,
  );
}
