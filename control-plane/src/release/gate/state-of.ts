/** Whether a version may be released, by its report and what was overridden. Pure. */
import type { GateOverride, GateReport, GateState } from "@vedette/protocol/gate-api";

/** @param forged there is a report that its signature does not prove. @param now UTC ms. */
export function stateOf(
  report: GateReport | undefined,
  override: GateOverride | undefined,
  { forged, now }: { forged: boolean; now: number },
): Pick<GateState, "state" | "why"> {
  if (!report) {
    const advice = "run `vedette gate run`";
    return forged
      ? {
          state: "missing",
          why: `its report is not what this gate signed: somebody changed it, or the key is another; ${advice}`,
        }
      : { state: "missing", why: `it has no report yet: ${advice}` };
  }
  const wrong = report.checks.filter(({ passed }) => passed === false);
  if (wrong.length === 0) {
    const made = report.checks.filter(({ passed }) => passed).length;
    return { state: "passed", why: `the gate's ${made} checks of ${report.at} passed` };
  }
  const failed = wrong.map(({ name, why }) => `${name}: ${why}`).join("; ");
  if (!override) return { state: "failed", why: failed };
  if (override.withdrawn)
    return { state: "failed", why: `${failed}; ${override.by} withdrew the override (${override.reason})` };
  const said = `${override.by} let it pass until ${override.expiresAt} (${override.reason})`;
  if (Date.parse(override.expiresAt) <= now) return { state: "failed", why: `${failed}; ${said}, which is over` };
  const beyond = wrong.filter(({ name }) => !override.checks.includes(name)).map(({ name }) => name);
  if (beyond.length > 0) return { state: "failed", why: `${failed}; ${said}, and not ${beyond.join(", ")}` };
  return { state: "overridden", why: `${said} though it failed: ${failed}` };
}
