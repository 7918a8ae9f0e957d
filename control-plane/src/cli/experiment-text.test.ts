import type { ExperimentInDetail } from "@vedette/protocol/experiments-api";
import { expect, test } from "vitest";
import { describeExperiment } from "./experiment-text.ts";

const at = "2026-01-02T03:04:05.000Z";
const arm = { units: 40, measured: 40, values: 40, mean: 2, crossed: 0 };
const of = (state: ExperimentInDetail["state"], says: NonNullable<ExperimentInDetail["result"]>["says"]) => {
  const why = `the candidate is ${says}`;
  const experiment: ExperimentInDetail = {
    ...{ id: 3, model: "rain", version: 2, digest: "ab".repeat(32), state, why, createdAt: at, createdBy: "ada" },
    plan: {
      ...{ metric: "business:sales", split: "entities", share: 0.5, better: "higher", error: 0.05 },
      ...{ minEffect: null, until: null },
    },
    result: { says, candidate: arm, incumbent: arm, difference: null, checks: [], more: null, why },
    ...{ selector: { all: true }, endedAt: state === "running" ? null : at, devices: [], leftOut: [] },
  };
  return describeExperiment(experiment, true);
};

test("[R86] an experiment that found the candidate to be better, and is over, names the command that gives it to all", () => {
  const next = "\nNext, to give it to all: vedette rollout start --model rain --version 2\n";
  expect(of("concluded", "better")).toContain(next);
  expect(of("concluded", "worse")).not.toContain("Next");
  expect(of("running", "better")).not.toContain("Next");
  expect(of("promoted", "better")).not.toContain("Next");
});
