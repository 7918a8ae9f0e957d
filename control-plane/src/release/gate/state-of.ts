/** Whether a version may be released, by its report and what was overridden. Pure. */
import type { GateOverride, GateReport, GateState } from "@vedette/protocol/gate-api";

/** Nothing is kept; it is not what this gate signed of the version; or it is, by a Vedette whose format this one does not know. */
export type Unproven = "none" | "forged" | "unreadable";

const missing: Readonly<Record<Unproven, string>> = {
  none: "it has no report yet",
  forged: "its report is not what this gate signed: somebody changed it, or the key is another",
  unreadable: "its report was made by another version of Vedette, in a format that this one does not read",
};

/** @param now UTC ms. */
export function stateOf(
  report: GateReport | Unproven,
  override: GateOverride | Unproven,
  now: number,
): Pick<GateState, "state" | "why"> {
  if (typeof report === "string") return { state: "missing", why: `${missing[report]}: run \`vedette gate run\`` };
  const wrong = report.checks.filter(({ passed }) => passed === false);
  if (wrong.length === 0) {
    const made = report.checks.filter(({ passed }) => passed).length;
    return { state: "passed", why: `the gate's ${made} checks of ${report.at} passed` };
  }
  const failed = wrong.map(({ name, why }) => `${name}: ${why}`).join("; ");
  if (override === "unreadable") {
    const why = "its override was given under another version of Vedette, in a format that this one does not read";
    return { state: "failed", why: `${failed}; ${why}: give it again where it still holds` };
  }
  if (typeof override === "string") return { state: "failed", why: failed };
  if (override.withdrawn)
    return { state: "failed", why: `${failed}; ${override.by} withdrew the override (${override.reason})` };
  const said = `${override.by} let it pass until ${override.expiresAt} (${override.reason})`;
  if (Date.parse(override.expiresAt) <= now) return { state: "failed", why: `${failed}; ${said}, which is over` };
  const beyond = wrong.filter(({ name }) => !override.checks.includes(name)).map(({ name }) => name);
  if (beyond.length > 0) return { state: "failed", why: `${failed}; ${said}, and not ${beyond.join(", ")}` };
  return { state: "overridden", why: `${said} though it failed: ${failed}` };
}
