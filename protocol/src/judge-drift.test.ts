import fc from "fast-check";
import { expect, test } from "vitest";
import { type DriftPolicy, driftVerdicts } from "./drift.ts";
import { isWorse, type JudgedFeature, type JudgedReport, judgeDrift } from "./judge-drift.ts";

const policy: DriftPolicy = {
  alpha: 0.001,
  windowRows: 256,
  windowSeconds: 3600,
  arl: 1e6,
  deadZone: 0.05,
  notice: 0.001,
  drift: 0.05,
  critical: 0.3,
  onCritical: "report",
};
const feature = (change: Partial<JudgedFeature> = {}): JudgedFeature => ({
  name: "wind",
  n: 256,
  missing: 0,
  pMissing: 1,
  pValue: 0.4,
  ksLow: 0.02,
  linf: 0.01,
  verdict: "none",
  ...change,
});
const judge = (change: Partial<JudgedReport>, features = [feature(), feature({ name: "temp" })]) =>
  judgeDrift({ n: 256, features, joint: null, alarm: false, topFeature: "temp", ...change }, policy);

test("[Y1] the detector says drift and the size of it critical; a window's tests alone give notice", () => {
  expect(judge({})).toEqual({ verdict: "none", top: null });
  expect(judge({}, [feature({ pValue: 1e-5 }), feature({ name: "temp" })])).toEqual({ verdict: "notice", top: "wind" });
  expect(judge({ joint: { p: 1e-6 } })).toEqual({ verdict: "notice", top: "temp" });
  expect(judge({ alarm: true }, [feature({ ksLow: 0.2 })])).toEqual({ verdict: "drift", top: "temp" });
  expect(judge({ alarm: true }, [feature({ linf: 0.31 })])).toEqual({ verdict: "critical", top: "temp" });
  // Too small to matter, however certain.
  expect(judge({ alarm: true })).toEqual({ verdict: "notice", top: "temp" });
});

test("[Y1] too few rows are insufficient, and never critical; a feature that is gone is", () => {
  const few = feature({ n: 20, ksLow: 0.9, verdict: "insufficient" });
  expect(judge({ n: 20 }, [few]).verdict).toBe("insufficient");
  expect(judge({ n: 20, alarm: true }, [few]).verdict).toBe("notice");
  const gone = feature({ n: 0, missing: 256, pMissing: 1e-40, verdict: "insufficient" });
  expect(judge({ alarm: true }, [gone]).verdict).toBe("critical");
});

test("[Y2] a notice stays as rare as the policy says, however many features there are", () => {
  fc.assert(
    fc.property(fc.integer({ min: 1, max: 256 }), fc.double({ min: 0, max: 1, noNaN: true }), (count, p) => {
      const features = Array.from({ length: count }, (_, i) => feature({ name: `f${i}`, pValue: i === 0 ? p : 1 }));
      expect(judge({}, features).verdict).toBe(p < policy.notice / (2 * count) ? "notice" : "none");
    }),
  );
});

test("[Y1] verdicts are ordered by severity", () => {
  for (const [i, a] of driftVerdicts.entries())
    for (const [j, b] of driftVerdicts.entries()) expect(isWorse(a, b)).toBe(i > j);
});
