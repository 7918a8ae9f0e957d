import fc from "fast-check";
import { describe, expect, it } from "vitest";
import type { Outcome } from "./outcome.ts";
import { type Evidence, gather, judgeProbation, judgeService, noEvidence, tripPolicy } from "./trips.ts";

const policy = { ...tripPolicy, probation: 20 };
const outcome = (change: Partial<Outcome> = {}): Outcome => ({
  n: 1,
  failed: 0,
  nan: 0,
  overBudget: 0,
  unsure: 0,
  ...change,
});
const after = (...outcomes: Outcome[]): Evidence => outcomes.reduce(gather, noEvidence);
const times = (n: number, one: Outcome) => Array<Outcome>(n).fill(one);

describe("on probation", () => {
  it("the first NaN or exception trips", () => {
    expect(judgeProbation(after(outcome({ nan: 1 })), policy, null)).toEqual({ kind: "trip", reason: "not_a_number" });
    const threw = after(...times(10, outcome()), outcome({ failed: 1 }));
    expect(judgeProbation(threw, policy, null)).toEqual({ kind: "trip", reason: "exceptions" });
  });

  it("late answers raise a doubt, and late ones are no passed ones", () => {
    const late = outcome({ overBudget: 1 });
    expect(judgeProbation(after(...times(2, late)), policy, null)).toEqual({ kind: "on" });
    expect(judgeProbation(after(...times(3, late)), policy, null)).toEqual({ kind: "doubt", of: "latency_budget" });
    expect(judgeProbation(after(late, ...times(19, outcome())), policy, null)).toEqual({ kind: "on" });
  });

  it("[V15] a version that is unsure far more often than the one before trips as fallback_rate", () => {
    const unsure = after(...times(14, outcome({ unsure: 1 })), ...times(6, outcome()));
    expect(judgeProbation(unsure, policy, 0.1)).toEqual({ kind: "trip", reason: "fallback_rate" });
    // The one before was no surer, or there is none to compare it with.
    expect(judgeProbation(unsure, policy, 0.5)).toEqual({ kind: "passed" });
    expect(judgeProbation(unsure, policy, null)).toEqual({ kind: "passed" });
  });
});

describe("after probation", () => {
  it("only failures in a row of one kind raise a doubt; one good answer ends the row", () => {
    const nan = outcome({ nan: 1 });
    expect(judgeService(after(...times(4, nan)), policy)).toEqual({ kind: "on" });
    expect(judgeService(after(...times(5, nan)), policy)).toEqual({ kind: "doubt", of: "not_a_number" });
    expect(judgeService(after(...times(4, nan), outcome(), nan), policy)).toEqual({ kind: "on" });
    expect(judgeService(after(...times(4, nan), outcome({ failed: 1 })), policy)).toEqual({ kind: "on" });
    expect(judgeService(after(...times(19, outcome({ overBudget: 1 }))), policy)).toEqual({ kind: "on" });
    expect(judgeService(after(...times(20, outcome({ overBudget: 1 }))), policy)).toEqual({
      kind: "doubt",
      of: "latency_budget",
    });
  });

  it("nothing that was answered well is ever tripped on, in whatever order it comes", () => {
    const some = fc.record({ n: fc.integer({ min: 0, max: 40 }) }).map(({ n }) => outcome({ n }));
    fc.assert(
      fc.property(fc.array(some, { maxLength: 50 }), (outcomes) => {
        const evidence = after(...outcomes);
        expect(judgeService(evidence, policy)).toEqual({ kind: "on" });
        expect(["on", "passed"]).toContain(judgeProbation(evidence, policy, 0).kind);
      }),
    );
  });
});
