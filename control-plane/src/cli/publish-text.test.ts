import type { GateCheck, GateState } from "@vedette/protocol/gate-api";
import { expect, test } from "vitest";
import { describeUnchanged, gateLines, nextAfterPublish } from "./publish-text.ts";

const check = (name: string, passed: boolean | null, why: string): GateCheck => {
  return { name, passed, why, measured: null, limit: null, unit: null };
};
const gateOf = (state: GateState["state"], version = 2): GateState => ({
  ...{
    model: "pump",
    version,
    digest: "0".repeat(64),
    state,
    why: "told in short",
    key: "",
    signed: null,
    override: null,
  },
  report:
    state === "missing"
      ? null
      : {
          ...{ format: "vedette.gate-report/1", site: "s", model: "pump", version, digest: "0".repeat(64) },
          ...{ at: "2026-11-23T12:00:00.000Z", champion: null },
          checks: [
            check("manifest", true, "whole"),
            check("accuracy", state === "passed" ? null : false, "right .4 of 90 rows"),
            check("latency.wasm", state === "passed", "p99 took 9 ms"),
          ],
        },
});

test("[K33] who publishes what fails the gate is told each check that failed, and the next command", () => {
  expect(gateLines(gateOf("failed"))).toBe(`  gate     FAILED, and no rollout takes it as it is:
           accuracy: right .4 of 90 rows
           latency.wasm: p99 took 9 ms
`);
  for (const state of ["passed", "overridden", "missing"] as const)
    expect(gateLines(gateOf(state))).toBe(`  gate     ${state}: told in short\n`);
});

test.each([
  ["failed", 1, "vedette gate show --model pump --version 1; publish a better one, or vedette gate override --help"],
  ["failed", 2, "vedette gate show --model pump --version 2; publish a better one, or vedette gate override --help"],
  ["missing", 2, "vedette gate run --model pump --version 2; no rollout takes it unchecked"],
  ["passed", 1, "vedette model assign --name pump --version 1 --all"],
  ["overridden", 2, "vedette rollout start --model pump --version 2, in stages; or vedette model assign --help"],
] as const)("[K33] after a version that %s (number %i) comes what its state allows", (state, version, next) => {
  expect(nextAfterPublish(gateOf(state, version))).toBe(next);
});

test("[K33] publishing once more what failed does not hide that it failed", () => {
  const there = "This is pump version 2 already; nothing to publish.\n";
  expect(describeUnchanged(gateOf("failed"))).toMatch(/^This is .*\n {2}gate +FAILED.*\nNext: vedette gate show /s);
  expect(describeUnchanged(gateOf("missing"))).toContain("Next: vedette gate run");
  expect(describeUnchanged(gateOf("passed"))).toBe(there);
  expect(describeUnchanged(gateOf("overridden"))).toBe(there);
});

test("what a runtime says in many lines is one line of what is told", () => {
  const gate = gateOf("failed");
  const checks = [check("golden.wasm", false, "no such node\nNext: vedette gate override")];
  expect(gateLines({ ...gate, report: gate.report && { ...gate.report, checks } }).split("\n")).toHaveLength(3);
  expect(gateLines({ ...gateOf("missing"), why: "none\nNext: vedette" }).split("\n")).toHaveLength(2);
});
