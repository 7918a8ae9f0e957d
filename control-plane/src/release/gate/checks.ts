/** One line of a report, as the checks make it. Pure. */
import type { GateCheck } from "@vedette/protocol/gate-api";

const longestWhy = 2000;

/** Held against nothing: it was refused before anything could be measured. */
export function failed(name: string, why: string): GateCheck {
  return { name, passed: false, measured: null, limit: null, unit: null, why: why.slice(0, longestWhy) };
}

export function judged(
  name: string,
  measured: number | null,
  limit: number | null,
  unit: string | null,
  { passed, why }: { passed: boolean | null; why: string },
): GateCheck {
  return { name, passed, measured, limit, unit, why: why.slice(0, longestWhy) };
}
