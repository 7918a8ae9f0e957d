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
  more: {
    cohorts?: readonly CohortDetector[];
    fleet?: { logE: number; steps: number } | null;
    /** Devices with an event of their own. */
    told?: readonly string[];
  } = {},
) =>
  attribute({
    devices,
    cohorts: more.cohorts ?? [],
    fleet: more.fleet ?? null,
    toldApart: () => new Set(more.told),
    threshold,
    fdr: 0.05,
  });
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

test("[Y11] a device that is told already does not speak for the others: what they have together is theirs", () => {
  const fleet = { logE: 9, steps: 30 };
  const found = ask(fleetOf(["d3"], 40), { fleet, told: ["d3"] });
  expect(scopes(found)).toEqual([{ kind: "device", agent: "d3" }, { kind: "fleet" }]);
  expect(found[1]?.agents).toEqual(names.filter((agent) => agent !== "d3"));
  // Not told yet: the fleet's detector has seen it, and is loud by it.
  expect(scopes(ask(fleetOf(["d3"], 40), { fleet }))).toEqual([{ kind: "device", agent: "d3" }]);
});

test("[Y11] one device of many needs more than one alone", () => {
  const alone = [{ agent: "d1", logE: Math.log(threshold) + 0.1, steps: 30 }];
  expect(scopes(ask(alone))).toEqual([{ kind: "device", agent: "d1" }]);
  expect(ask(fleetOf(["d1"], Math.log(threshold) + 0.1))).toEqual([]);
});

test("[Z43] who was found by a long look is named whatever its detector says, alone or with the rest of its cohort", () => {
  const york = names.slice(0, 5);
  const devices = (seen: readonly string[]) =>
    fleetOf([], 0).map((one) => ({ ...one, seen: seen.includes(one.agent) }));
  expect(scopes(ask(devices(["d7"])))).toEqual([{ kind: "device", agent: "d7" }]);
  expect(scopes(ask(devices(york), { cohorts: [cohort("york", york)] }))).toEqual([
    { kind: "cohort", label: "city", value: "york" },
  ]);
});

test("[Y12] where a group alarms and its devices say nothing but chance, one is named with 5 % at most, whatever hangs together", () => {
  // An e-value that is `bet` once in `bet` draws and 0 else has mean 1; that devices share it is the worst dependence there is.
  for (const sharing of [1, 4, 10, 15]) {
    const named = (bet: number) => {
      const devices = names.map((agent, i) => {
        return { agent, logE: i < sharing ? Math.log(bet) + Math.log(30) : Number.NEGATIVE_INFINITY, steps: 30 };
      });
      return scopes(ask(devices, { fleet: { logE: 40, steps: 30 } })).some(({ kind }) => kind === "device");
    };
    const bets = Array.from({ length: 1000 }, (_, i) => i + 1);
    const chances = bets.filter(named).map((bet) => 1 / bet);
    expect(chances.length).toBeGreaterThan(0);
    expect(Math.max(...chances)).toBeLessThanOrEqual(0.05);
  }
});

test("[Y12] whatever detectors say, a device is named at most once, and only ones that were given", () => {
  const logE = fc.double({ min: -5, max: 40, noNaN: true });
  fc.assert(
    fc.property(fc.array(logE, { minLength: 1, maxLength: 20 }), logE, logE, (loud, york, fleet) => {
      const devices = loud.map((one, i) => ({ agent: `d${i}`, logE: one, steps: 30 }));
      const some = devices.slice(0, Math.ceil(devices.length / 2)).map(({ agent }) => agent);
      const cohorts = some.length > 1 && some.length < devices.length ? [cohort("york", some, york)] : [];
      const named = ask(devices, { cohorts, fleet: { logE: fleet, steps: 30 } }).flatMap(({ agents }) => agents);
      expect(new Set(named).size).toBe(named.length);
      for (const agent of named) expect(devices.some((one) => one.agent === agent)).toBe(true);
    }),
  );
});
