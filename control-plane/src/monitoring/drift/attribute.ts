/**
 * Whose drift it is: a device's, a cohort's (devices that share the value of a label), or the fleet's. Pure.
 *
 * Two error controls, one after the other. *That* something drifted: e-detectors at thresholds by which a whole family of
 * them alarms falsely once in `threshold` rounds (e-d-BH: k detectors at ≥ K·A/k; Dandapanthula & Ramdas 2025). *Who* it is,
 * once a group has alarmed: e-values with Benjamini–Hochberg at `fdr` (Wang & Ramdas 2022), valid whatever the dependence
 * between devices. M of a Shiryaev–Roberts detector has mean ≤ t after t rounds, so that M/t is an e-value.
 */
import type { DriftScope } from "@vedette/protocol/drift";

/** A detector: ln M, and after how many rounds. */
export interface Detector {
  readonly logE: number;
  readonly steps: number;
}
export interface DeviceDetector extends Detector {
  readonly agent: string;
  /** A long look found it (long-look.ts, which has its own error control). */
  readonly seen?: boolean;
}
export interface CohortDetector extends Detector {
  readonly label: string;
  readonly value: string;
  /** Its devices, among those given. */
  readonly agents: readonly string[];
}
export interface Attribution {
  readonly scope: DriftScope;
  readonly agents: readonly string[];
}

/** Share of a group that drifts before the group does. */
const mostOf = 0.8;

/**
 * @param given.threshold rounds to a false alarm on average, of each family: all devices, all cohorts, the fleet.
 * @param given.fdr expected share of devices wrongly named, where a group has alarmed.
 * @param given.fleet of all devices given; null where they were not merged.
 * @param given.toldApart devices whose drift is an open event of another scope: the detector of this one does not see them.
 */
export function attribute(given: {
  readonly devices: readonly DeviceDetector[];
  readonly cohorts: readonly CohortDetector[];
  readonly fleet: Detector | null;
  readonly toldApart: (scope: DriftScope) => ReadonlySet<string>;
  readonly threshold: number;
  readonly fdr: number;
}): Attribution[] {
  const { devices, cohorts, fleet, toldApart, threshold, fdr } = given;
  const bar = Math.log(threshold);
  const loud = rejected(devices, ({ logE }) => logE, bar);
  const alone = [...loud, ...devices.filter((one) => one.seen === true && !loud.includes(one))];
  const ofCohorts = rejected(cohorts, ({ logE }) => logE, bar);
  const fleetAlarms = fleet !== null && fleet.logE >= bar;
  const someAlarm = fleetAlarms || ofCohorts.length > 0 || alone.length > 0;
  const named = someAlarm
    ? rejected(devices, ({ logE, steps }) => logE - Math.log(Math.max(1, steps)), Math.log(1 / fdr))
    : [];
  const drifting = new Set([...alone, ...named].map(({ agent }) => agent));
  const everyone = devices.map(({ agent }) => agent);
  const whole: Attribution = { scope: { kind: "fleet" }, agents: everyone };

  if (everyone.length > 1 && drifting.size >= mostOf * everyone.length) return [whole];

  const found: Attribution[] = [];
  const left = new Set(drifting);
  for (;;) {
    const best = explains(cohorts, left, everyone.length);
    if (!best) break;
    found.push(cohortOf(best));
    for (const agent of best.agents) left.delete(agent);
  }
  for (const agent of everyone) {
    if (left.has(agent)) found.push({ scope: { kind: "device", agent }, agents: [agent] });
  }
  const told = toldApart(whole.scope);
  if ([...drifting].some((agent) => !told.has(agent))) return found;

  // Too little in each for a name, and yet together enough: of the rest, where some are told already.
  const add = ({ scope, agents }: Attribution): void => {
    const apart = toldApart(scope);
    const rest = agents.filter((agent) => !apart.has(agent) && !found.some((one) => one.agents.includes(agent)));
    if (rest.length > 0) found.push({ scope, agents: rest });
  };
  // A cohort whose event goes on says nothing of the others, nor they of it.
  const isTold = ({ agents }: CohortDetector) => agents.every((agent) => told.has(agent));
  for (const cohort of ofCohorts.filter(isTold)) add(cohortOf(cohort));
  const best = loudest(ofCohorts.filter((cohort) => !isTold(cohort)));
  if (best && (!fleet || best.logE > fleet.logE)) add(cohortOf(best));
  else if (fleetAlarms) add(whole);
  return found;
}

/** The k largest of n whose k-th is at least ln(n/k) over the bar: Benjamini–Hochberg on (logs of) e-values. */
function rejected<T>(all: readonly T[], logE: (one: T) => number, bar: number): T[] {
  const sorted = all.toSorted((a, b) => logE(b) - logE(a));
  for (let k = sorted.length; k > 0; k--) {
    if (logE(sorted[k - 1] as T) >= bar + Math.log(sorted.length / k)) return sorted.slice(0, k);
  }
  return [];
}

/** The cohort that explains most of what drifts: most of it drifts, it is more than one device, and not everyone. */
function explains(
  cohorts: readonly CohortDetector[],
  drifting: ReadonlySet<string>,
  everyone: number,
): CohortDetector | undefined {
  let best: { cohort: CohortDetector; hits: number } | undefined;
  for (const cohort of cohorts) {
    const { length } = cohort.agents;
    const hits = cohort.agents.filter((agent) => drifting.has(agent)).length;
    if (hits < 2 || hits < mostOf * length || length >= everyone) continue;
    const better = !best || hits > best.hits || (hits === best.hits && length < best.cohort.agents.length);
    if (better) best = { cohort, hits };
  }
  return best?.cohort;
}

function loudest<T extends Detector>(all: readonly T[]): T | undefined {
  return all.toSorted((a, b) => b.logE - a.logE)[0];
}

function cohortOf({ label, value, agents }: CohortDetector): Attribution {
  return { scope: { kind: "cohort", label, value }, agents };
}
