import fc from "fast-check";
import { expect, test } from "vitest";
import { attribute, type CohortDetector, type DeviceDetector } from "./attribute.ts";

const names = Array.from({ length: 20 }, (_, i) => `d${i}`);
const quiet = { logE: 1, steps: 30 };
const threshold = 1000;
const fleetOf = (loud: readonly string[], logE: number): DeviceDetector[] =>
  names.map((agent) => ({ agent, ...(loud.includes(agent) ? { logE, steps: 30 } : quiet) }));
const cohort = (value: string, agents: readonly string[], logE = 1): CohortDetector => ({
  label: "city",
  value,
  agents,
  logE,
  steps: 30,
});
const ask = (
  devices: readonly DeviceDetector[],
  more: { cohorts?: readonly CohortDetector[]; fleet?: { logE: number; steps: number } | null } = {},
) => attribute({ devices, cohorts: more.cohorts ?? [], fleet: more.fleet ?? null, threshold, fdr: 0.05 });
const scopes = (found: ReturnType<typeof ask>) => found.map(({ scope }) => scope);

test("[Y11] three devices of twenty are named one by one, and nobody else", () => {
  const found = ask(fleetOf(["d3", "d7", "d9"], 12), { fleet: { logE: 8, steps: 30 } });
  expect(scopes(found)).toEqual(["d3", "d7", "d9"].map((agent) => ({ kind: "device", agent })));
});

test("[Y11] a cohort of which most drift is named instead of its devices; what is beside it stays by name", () => {
  const york = names.slice(0, 5);
  const found = ask(fleetOf([...york.slice(1), "d17"], 14), { cohorts: [cohort("york", york), cohort("all", names)] });
  expect(scopes(found)).toEqual([
    { kind: "cohort", label: "city", value: "york" },
    { kind: "device", agent: "d17" },
  ]);
  expect(found[0]?.agents).toEqual(york);
});

test("[Y11] where nearly all drift it is the fleet", () => {
  expect(scopes(ask(fleetOf(names.slice(2), 14)))).toEqual([{ kind: "fleet" }]);
});

test("[Y11] what is too little in each device is the group's whose detector alarms", () => {
  expect(scopes(ask(fleetOf([], 0), { fleet: { logE: 9, steps: 30 } }))).toEqual([{ kind: "fleet" }]);
  const cohorts = [cohort("york", names.slice(0, 5), 11), cohort("bath", names.slice(5, 10))];
  expect(scopes(ask(fleetOf([], 0), { cohorts, fleet: { logE: 7.5, steps: 30 } }))).toEqual([
    { kind: "cohort", label: "city", value: "york" },
  ]);
});

test("[Y11] one device of many needs more than one alone", () => {
  const alone = [{ agent: "d1", logE: Math.log(threshold) + 0.1, steps: 30 }];
  expect(scopes(ask(alone))).toEqual([{ kind: "device", agent: "d1" }]);
  expect(ask(fleetOf(["d1"], Math.log(threshold) + 0.1))).toEqual([]);
});

test("[Y12] fewer than one in `fdr` of the devices named are quiet ones, whatever hangs together", () => {
  // All devices share one source of chance: the worst dependence there is. Their e-values have mean 1.
  let wrong = 0;
  const trials = 4000;
  fc.assert(
    fc.property(fc.double({ min: 1e-9, max: 1, noNaN: true }), (u) => {
      // E[1/(2√u)] = 1 for uniform u.
      const logE = -Math.log(2 * Math.sqrt(u));
      const devices = names.map((agent) => ({ agent, logE: logE + Math.log(30), steps: 30 }));
      const found = attribute({
        devices,
        cohorts: [],
        fleet: { logE: 99, steps: 30 },
        threshold: 1e12,
        fdr: 0.05,
      });
      if (found[0]?.scope.kind !== "fleet" || logE >= Math.log(1 / 0.05)) wrong += logE >= Math.log(1 / 0.05) ? 1 : 0;
    }),
    { numRuns: trials, seed: 4 },
  );
  expect(wrong / trials).toBeLessThanOrEqual(0.05);
});
