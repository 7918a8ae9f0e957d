import fc from "fast-check";
import { expect, test } from "vitest";
import { describeDetail } from "./audit-text.ts";

test.each<[Record<string, unknown>, string]>([
  [{}, ""],
  [
    { model: "rain", version: 2, stage: 1, kind: "canary", share: 0.25 },
    "rain version 2; stage 1; kind canary; share 0.25",
  ],
  [
    { model: "rain", version: 2, stage: 1, devices: { "gauge-1": "proof_failed: a vector", "gauge-2": "it threw" } },
    "rain version 2; stage 1; devices: gauge-1 proof_failed: a vector, gauge-2 it threw",
  ],
  [{ model: "rain", version: 2, agents: ["a", "b", "c", "d", "e"] }, "rain version 2; agents: a, b, c and 2 more"],
  [{ version: 3, selector: { all: true } }, "version 3; selector: all devices"],
  [{ version: null, selector: { labels: { city: "seattle" } } }, "no version; selector: labels city seattle"],
  [
    { policy: { selector: { all: true }, stages: [{}], served: 20, inFlight: 100, window: null } },
    "policy: selector all devices, served 20, in flight 100",
  ],
  [{ before: { revoked: null }, after: { revoked: "lost in the van" } }, "revoked: - → lost in the van"],
  [{ before: { versions: {} }, after: { versions: { root: 1 } } }, "versions: - → root 1"],
  [{ digest: "ab".repeat(32), reason: "two\nlines", expiresAt: null }, "two lines; digest abababababab"],
  [{ reason: "enough", why: "enough; the incumbent is kept" }, "enough; the incumbent is kept"],
  [{ findings: [{ metric: "unfit" }], members: { counted: 3, failed: 1 } }, "members: counted 3, failed 1"],
])("[R61] %j is told in a line: %s", (detail, line) => {
  expect(describeDetail(detail)).toBe(line);
});

test("[R61] a reason is told to its end, however long", () => {
  const why = `${"the evidence says so ".repeat(20)}at last`;
  expect(describeDetail({ model: "rain", version: 2, why, stage: 3 })).toBe(`rain version 2; ${why}; stage 3`);
});

test("[R61] whatever an entry holds is one line", () => {
  fc.assert(
    fc.property(fc.dictionary(fc.string(), fc.jsonValue()), (detail) => {
      const line = describeDetail(detail);
      expect(line).not.toContain("\n");
      expect(line).not.toContain("[object");
    }),
  );
});
