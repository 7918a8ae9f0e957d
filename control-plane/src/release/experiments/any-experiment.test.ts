/** Experiments on the pure engine: who is in which arm, what ends them, and what never happens. */
import type { ExperimentPlan, ExperimentResult } from "@vedette/protocol/experiment";
import { lotOf } from "@vedette/protocol/split";
import fc from "fast-check";
import { expect, test } from "vitest";
import { device, minute, pretendSite, rolloutOf, verdictOf } from "../../../test/rollout-world.ts";
import { isOver } from "../rollouts/advance.ts";
import { stop } from "./stop.ts";

const plan: ExperimentPlan = {
  ...{ metric: "business:sales", better: "higher", split: "devices", share: 0.5, error: 0.05 },
  ...{ minEffect: null, until: null },
};
const arm = { units: 20, measured: 20, values: 40, mean: 1, crossed: 0 };
const resultOf = (says: ExperimentResult["says"]): ExperimentResult => {
  return { says, candidate: arm, incumbent: arm, difference: null, checks: [], more: null, why: `it is ${says}` };
};
const saying = (says: ExperimentResult["says"]) =>
  verdictOf("undecided", { findings: [], why: `it is ${says}`, result: resultOf(says) });
const names = (from: number, to: number) => Array.from({ length: to - from }, (_, i) => `gauge-${from + i}`);

function begin(over: Partial<ExperimentPlan> = {}, many = 10) {
  const rollout = rolloutOf({ stages: [{ kind: "canary", share: 1 }] }, { experiment: { ...plan, ...over } });
  const devices = names(0, many).map((name) => device(name));
  const site = pretendSite(rollout, devices);
  site.verdict = saying("undecided");
  site.round();
  return site;
}
const armsOf = (site: ReturnType<typeof begin>) =>
  new Map([...site.rollout.members.values()].map(({ agent, kind }) => [agent, kind]));

test("[C5] the first devices are divided exactly, as near to the share as there are devices, and neither arm is empty", () => {
  for (const [many, share, candidates] of [
    [10, 0.5, 5],
    [10, 0.2, 2],
    [3, 0.5, 2],
    [2, 0.99, 1],
    [5, 0.01, 1],
  ] as const) {
    const kinds = [...armsOf(begin({ share }, many)).values()];
    expect(kinds.filter((kind) => kind === "canary")).toHaveLength(candidates);
    expect(kinds.filter((kind) => kind === "control")).toHaveLength(many - candidates);
  }
});

test("[C16] a device that has no memory for both versions is in no arm, as no fault of the version", () => {
  const site = begin({ split: "entities" }, 3);
  site.of("gauge-1").nature = "lacks memory";
  site.live(50);
  site.round();
  expect(site.member("gauge-0")).toMatchObject({ state: "counted" });
  expect(site.member("gauge-1")).toMatchObject({ state: "left_out", reason: "lacks memory for both" });
  expect(site.rollout.state).toBe("running");
});

test("[C5] who joins later falls in by its lot, and nobody changes its arm, whatever happens", () => {
  const step = fc.record({
    joins: fc.integer({ min: 0, max: 3 }),
    goesAway: fc.array(fc.nat(12), { maxLength: 3 }),
    served: fc.nat(30),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 8 }), fc.constantFrom("devices", "entities"), (steps, split) => {
      const site = begin({ split }, 4);
      let before = armsOf(site);
      for (const { joins, goesAway, served } of steps) {
        const late = names(site.devices.length, site.devices.length + joins);
        site.devices.push(...late.map((name) => device(name)));
        for (const one of site.devices) one.online = !goesAway.includes(Number(one.agent.slice(6)));
        site.now += minute;
        site.live(served);
        site.round();
        const after = armsOf(site);
        for (const [agent, kind] of before) expect(after.get(agent)).toBe(kind);
        for (const name of late) {
          const candidate =
            split === "entities" ? "split" : lotOf(site.rollout.salt, name) < 0.5 ? "canary" : "control";
          expect(after.get(name)).toBe(candidate);
        }
        before = after;
      }
      // The incumbent's arm is given nothing, ever.
      for (const { kind, given } of site.rollout.members.values()) if (kind === "control") expect(given).toBeNull();
      expect(site.rollout.state).toBe("running");
    }),
    { numRuns: 200 },
  );
});

test("[C5] devices that could not run the candidate are in no arm", () => {
  const site = pretendSite(rolloutOf({}, { experiment: { ...plan, split: "entities" } }), [
    device("gauge-0"),
    device("gauge-1", { splits: false }),
    device("gauge-2", { lacks: "gauge-2 lacks opset 23" }),
  ]);
  site.round();
  expect([...armsOf(site)]).toEqual([["gauge-0", "split"]]);
});

test("[C12] it is never promoted by itself, and without an end it goes on", () => {
  const site = begin();
  site.live(100);
  for (const says of ["better", "worse", "same", "withheld"] as const) {
    site.verdict = saying(says);
    site.now += 400 * 24 * 60 * minute;
    site.round();
    expect(site.rollout).toMatchObject({ state: "running", why: `it is ${says}` });
  }
});

test("[C12] it ends at its time, and every device returns to the incumbent", () => {
  const until = new Date(Date.UTC(2026, 0, 5) + 60 * minute).toISOString();
  const site = begin({ until });
  site.live(100);
  site.now += 59 * minute;
  site.round();
  expect(site.rollout.state).toBe("running");
  site.now += minute;
  site.round();
  expect(site.rollout).toMatchObject({ state: "concluded", why: "its time is over: it is undecided" });
  expect(site.devices.every(({ holds }) => holds === null)).toBe(true);
  expect(site.decisions.at(-1)).toMatchObject({ action: "rollout.conclude" });
});

test("[C12] with a least effect it ends once one is shown or ruled out, but not while the split is not as planned", () => {
  for (const says of ["undecided", "too_few", "withheld", "better", "worse", "same"] as const) {
    const site = begin({ minEffect: 0.1 });
    site.live(100);
    site.verdict = saying(says);
    site.round();
    expect(site.rollout.state).toBe(["better", "worse", "same"].includes(says) ? "concluded" : "running");
  }
});

test("a candidate that fails on devices is taken back, and what was found is kept", () => {
  const site = begin();
  for (const one of site.devices) one.nature = "rejects";
  site.live(10);
  site.round();
  expect(site.rollout).toMatchObject({ state: "rolled_back", verdict: { result: { says: "undecided" } } });
  expect(site.devices.every(({ holds }) => holds === null)).toBe(true);
});

test("[C11] stopped, it keeps what the operator says, once", () => {
  const site = begin();
  site.live(10);
  site.round();
  const stopped = (keep: "incumbent" | "candidate") => stop(site.rollout, keep, null, "ann", site.now);
  expect(stopped("candidate").rollout).toMatchObject({ state: "promoted", endedAt: site.now });
  expect(stopped("incumbent").rollout).toMatchObject({
    state: "concluded",
    why: expect.stringContaining("stopped by ann"),
  });
  expect(stopped("incumbent").decisions).toMatchObject([
    { action: "rollout.stop", detail: { keep: "incumbent", result: { says: "undecided" } } },
  ]);
  const { rollout } = stopped("incumbent");
  expect(isOver(rollout.state)).toBe(true);
  expect(() => stop(rollout, "candidate", null, "ann", site.now)).toThrow(/is over/);
});
