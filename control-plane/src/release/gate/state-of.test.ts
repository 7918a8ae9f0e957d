import type { GateOverride, GateReport } from "@vedette/protocol/gate-api";
import { expect, test } from "vitest";
import { failed, passed, unmeasured } from "./checks.ts";
import { stateOf } from "./state-of.ts";

const of = { site: "s", model: "m", version: 1, digest: "0".repeat(64), at: "2026-11-23T12:00:00.000Z" };
const report = (...names: string[]): GateReport => ({
  ...{ ...of, format: "vedette.gate-report/1", champion: null },
  checks: [
    passed("manifest", "whole"),
    unmeasured("accuracy", "no rows"),
    ...names.map((name) => failed(name, "too much")),
  ],
});
const override: GateOverride = {
  ...{ ...of, format: "vedette.gate-override/1", checks: ["latency.wasm", "memory.wasm"] },
  ...{ by: "ada", reason: "no pages", expiresAt: "2026-11-24T12:00:00.000Z" },
};
const now = Date.parse("2026-11-24T11:59:59.999Z");

test("[K29] an override covers the checks that had failed, until its moment", () => {
  const at = (names: string[], when = now) => stateOf(report(...names), override, when).state;
  expect(at([])).toBe("passed");
  expect(at(["latency.wasm"])).toBe("overridden");
  expect(at(["latency.wasm", "memory.wasm"])).toBe("overridden");
  expect(at(["latency.wasm", "golden.wasm"])).toBe("failed");
  expect(at(["latency.wasm"], now + 1)).toBe("failed");
  expect(stateOf("none", override, now).state).toBe("missing");
  expect(stateOf("forged", override, now)).toMatchObject({
    state: "missing",
    why: expect.stringContaining("not what"),
  });
});

test("[R81] a report in a format that is not known counts as missing, an override as none, and both are said", () => {
  expect(stateOf("unreadable", override, now)).toEqual({
    state: "missing",
    why: expect.stringMatching(/made by another version of Vedette, .*: run `vedette gate run`$/),
  });
  expect(stateOf(report("latency.wasm"), "unreadable", now)).toEqual({
    state: "failed",
    why: expect.stringMatching(/^latency\.wasm: too much; its override was given under another version.*give it again/),
  });
});
