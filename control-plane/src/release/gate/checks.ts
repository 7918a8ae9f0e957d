/** One line of a report, as the checks make it. Pure. */
import type { GateCheck } from "@vedette/protocol/gate-api";

/** As the contract has it. */
const longestWhy = 2000;

/** What was found sound, with nothing to measure. */
export function passed(name: string, why: string): GateCheck {
  return { name, passed: true, measured: null, limit: null, unit: null, why: why.slice(0, longestWhy) };
}

/** What was refused before anything could be measured. */
export function failed(name: string, why: string): GateCheck {
  return { ...passed(name, why), passed: false };
}

/** What could not be asked, or was not asked for: it holds nothing up. */
export function unmeasured(name: string, why: string): GateCheck {
  return { ...passed(name, why), passed: null };
}

/** What was measured, in `unit`, and held against a limit where there is one. */
export function measured(
  name: string,
  { why, ...found }: Pick<GateCheck, "measured" | "limit" | "unit" | "why"> & { readonly passed: boolean },
): GateCheck {
  return { name, ...found, why: why.slice(0, longestWhy) };
}
